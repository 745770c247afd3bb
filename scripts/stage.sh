# For scripts/test: runs stages, counts tests, stops at the first stage that fails.
passed=0
stage_work=$(mktemp -d)
trap 'rm -rf "$stage_work"' EXIT
results=$stage_work/results.xml # where ctest and pytest write what they ran

# attribute NAME: a figure from the first element of the results that has it, 0 where there is none
attribute() {
    local found
    found=$(grep -o "[[:space:]]$1=\"[0-9]*\"" "$results" | head -n 1 | tr -dc 0-9)
    echo "${found:-0}"
}

# stage NAME COMMAND...: prints one line. Its tests are those that the command wrote to $results;
# a command that wrote none is one test. Where it fails, prints what it said and ends the run.
stage() {
    local name=$1 start=$SECONDS ran=1 failed=0 skipped=0 status=0
    shift
    rm -f "$results"
    "$@" >"$stage_work/log" 2>&1 </dev/null || status=$?
    if [ -s "$results" ]; then
        skipped=$(($(attribute skipped) + $(attribute disabled)))
        failed=$(($(attribute failures) + $(attribute errors)))
        ran=$(($(attribute tests) - skipped))
    fi
    # A command that fails for another reason than a test (a build, a leak at exit) fails as well.
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || { failed=1; [ -s "$results" ] || ran=1; }
    passed=$((passed + (ran > failed ? ran - failed : 0)))
    printf '%-6s %-36s %5d tests %5d s' "$([ "$failed" -eq 0 ] && echo ok || echo FAILED)" "$name" \
        "$ran" $((SECONDS - start))
    [ "$skipped" -eq 0 ] && echo || echo "  ($skipped skipped)"
    [ "$failed" -eq 0 ] && return
    cat "$stage_work/log"
    echo "$passed passed, $failed failed"
    exit 1
}

finish() {
    echo "$passed passed, 0 failed"
}
