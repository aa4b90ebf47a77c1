#!/usr/bin/env bash
# Refuses what must not stand in finished files, and says where it does. Looks at every file that git
# tracks or would track.
#
# Tests wait for a condition with a deadline. A sleep of so many milliseconds is refused unless a comment
# on its line or the one above says what it is for (a reader that is slow on purpose, say); a sleep of a
# named constant has its reason there.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0

# report WHAT LINES: prints the lines, if any, under a heading, and remembers the failure.
report() {
    [[ -n $2 ]] || return 0
    printf 'error: %s\n%s\n' "$1" "$2" | sed -n '1,40p'
    failed=1
}

# look PATTERN PATHSPEC...: matching lines; none is not an error. This file holds the patterns.
look() {
    local pattern=$1
    shift
    git grep --untracked -nIE -e "$pattern" -- "$@" ':!scripts/check-words.sh' || [[ $? == 1 ]]
}

# Every sleep in test code that has no reason on its line or on the one above.
unexplained_sleeps() {
    git ls-files -z --cached --others --exclude-standard -- '*/tests/*.rs' '*tests.rs' 'lab/*.rs' \
        '*_test.py' '*_test.js' |
        xargs -0 --no-run-if-empty awk '
            FNR == 1 { above = "" }
            /sleep\((Duration::from_[a-z]+\()?[0-9_.]+\)/ && ($0 above) !~ /\/\/|# / {
                print FILENAME ":" FNR ":" $0
            }
            { above = $0 }'
}

report 'work left over' "$(look '\b(TODO|FIXME|XXX)\b' '*' ':!*.lock')"
report 'unfinished or debugging code' "$(look '\b(dbg|todo|unimplemented)!\(' '*.rs')"
report 'a test that never runs, without a reason' "$(look '#\[ignore\]' '*.rs')"
report 'sleeping in a test (wait for a condition, or say in a comment why not)' "$(unexplained_sleeps)"
report 'a path of one machine' "$(look '(^|[^A-Za-z0-9_.])/(tmp|work|root|home)/[A-Za-z]' '*' ':!*.lock')"
report 'a line number in the documentation' "$(look '(\.(rs|py|js|sh|toml):[0-9]+|#L[0-9]+|\bline [0-9]+ of\b)' '*.md')"

exit "$failed"
