# What README and manual pages print, so that tests can run just that.

# printed_blocks FILE: each command that it prints, behind the sentence before it and a tab.
printed_blocks() {
    # shellcheck disable=SC2016 # those are backquotes in the page
    case $1 in
        *.8) sed 's/^\.Dl [$#] /    /; s/\\e/\\/g; /^\.Pp$/d' "$1" ;;
        *) sed '/^```/,/^```/d' "$1" ;;
    esac | awk '
        /^    / { if (before != "") print before "\t" substr($0, 5); next }
        /./ { before = $0 }'
}

# printed FILE TEXT: the commands behind the sentence, or its last line, that holds the text.
printed() {
    printed_blocks "$TREE/$1" | awk -F '\t' -v text="$2" '
        index($1, text) { print $2; found = 1 }
        END { exit !found }'
}

# transcripts FILE: each command line shown with its prompt, and what it is shown to print.
transcripts() {
    awk '/^```/ { inside = !inside; shown = 0; next }
        inside && /^\$ / { shown = 1 }
        inside && shown' "$1"
}

# masked: every number looks like every other, as from one run to the next.
masked() {
    sed -E 's/[0-9]+/9/g; s/ +/ /g'
}

# example_commands FILE: those that the comment which the example begins with gives for its use.
example_commands() {
    awk '/^#!/ { next } !/^#/ { exit } sub(/^#     /, "")' "$TREE/examples/$1"
}
