/* Being told to stop: ^C, a SIGTERM, and a pipe whose reader has gone. */
#ifndef CLI_SIGNAL_H
#define CLI_SIGNAL_H

/* From now on SIGINT, SIGTERM and SIGPIPE do not end the process but are remembered, so that a save
 * that is under way is cancelled and leaves nothing behind. A second one ends it. For commands that
 * write files. */
void signal_catch(void);

/* The signal that came, 0 if none did. Progress functions return false then. */
int signal_caught(void);

#endif
