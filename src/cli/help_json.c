/* The tables of commands as JSON, for programs (the tests of examples and the build among them). */
#include "cli/help.h"
#include "cli/json.h"

static const char *const types[] = {
    [CLI_FLAG] = "flag",   [CLI_INT] = "int",       [CLI_REAL] = "real", [CLI_SIZE] = "size",
    [CLI_TEXT] = "text",   [CLI_ANY_TEXT] = "text", [CLI_FILE] = "file", [CLI_CHOICE] = "choice",
    [CLI_TEXTS] = "texts", [CLI_RULE] = "rule",
};

static void put_option(json *j, const cli_command *command, const cli_option *o, cli_where where)
{
    char text[HELP_TEXT];
    const char letter[] = {o->letter, 0};
    json_open_object(j);
    json_key_text(j, "name", o->name);
    json_key_text(j, "letter", o->letter ? letter : NULL);
    json_key_text(j, "type", types[o->type]);
    json_key_text(j, "argument", o->argument);
    json_key_text(j, "help", help_option_text(command, o, where, text));
    json_key_bool(j, "common", where == CLI_COMMON);
    if (o->choices) {
        json_key_array(j, "choices");
        for (size_t i = 0; o->choices[i]; i++)
            json_text(j, o->choices[i]);
        json_close_array(j);
    }
    json_close_object(j);
}

static void put_examples(json *j, const cli_command *command)
{
    json_key_array(j, "examples");
    for (size_t i = 0; i < command->example_count; i++) {
        json_open_object(j);
        json_key_text(j, "line", command->examples[i].line);
        json_key_text(j, "says", command->examples[i].says);
        json_key_int(j, "status", command->examples[i].status);
        json_close_object(j);
    }
    json_close_array(j);
}

static void put_command(json *j, const cli_command *command)
{
    cli_option o;
    cli_where where;
    json_open_object(j);
    json_key_text(j, "name", command->name);
    json_key_text(j, "summary", command->summary);
    json_key_text(j, "description", command->description);
    json_key_text(j, "operands", command->operands);
    json_key_array(j, "options");
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++)
        put_option(j, command, &o, where);
    json_close_array(j);
    put_examples(j, command);
    json_key_object(j, "statuses");
    for (size_t i = 0; help_statuses[i] >= 0; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", help_statuses[i]);
        if (help_status(command, help_statuses[i]))
            json_key_text(j, name, help_status(command, help_statuses[i]));
    }
    json_close_object(j);
    json_close_object(j);
}

void help_json(FILE *out, const cli_command *command)
{
    json j = json_to(out, true);
    if (command) {
        put_command(&j, command);
        return;
    }
    json_open_array(&j);
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        put_command(&j, command);
    json_close_array(&j);
}
