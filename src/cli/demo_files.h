/* The files that the demo saves. */
#ifndef CLI_DEMO_FILES_H
#define CLI_DEMO_FILES_H

#include <stdbool.h>

enum { DEMO_PATH = 4096 };

typedef struct demo_folder {
    char path[DEMO_PATH];
    bool temporary;
} demo_folder;

/* The folder that the user named, made if it is not there; NULL: a temporary one. false after
 * saying on stderr why nothing can be saved in it. */
bool demo_folder_open(const char *named, demo_folder *out);

/* false if the path does not fit. */
bool demo_folder_path(const demo_folder *folder, const char *file, char path[DEMO_PATH]);

/* Removes a temporary folder and what the demo saved in it. */
void demo_folder_close(const demo_folder *folder);

/* Their names. */
extern const char demo_file_pt[], demo_file_safetensors[], demo_file_checkpoint[];

#endif
