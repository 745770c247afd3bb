# cmake -DGRAFT=path/to/graft -DOUT=folder -P help.cmake: man pages and completions, which the command
# makes from its tables.
cmake_minimum_required(VERSION 3.25)

# graft_help(FILE ARGUMENT...): what `graft help ARGUMENT...` prints, as a file.
function(graft_help file)
  execute_process(COMMAND ${GRAFT} help ${ARGN} OUTPUT_FILE ${OUT}/${file}
                  COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUT})
file(MAKE_DIRECTORY ${OUT}/man ${OUT}/bash ${OUT}/zsh ${OUT}/fish)
execute_process(COMMAND ${GRAFT} help --json OUTPUT_VARIABLE commands COMMAND_ERROR_IS_FATAL ANY)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON name GET "${commands}" ${i} name)
  graft_help(man/graft-${name}.1 --man ${name})
endforeach()
graft_help(man/graft.1 --man)
graft_help(bash/graft --completion bash)
graft_help(zsh/_graft --completion zsh)
graft_help(fish/graft.fish --completion fish)
