# What README, manual pages and examples print, so that tests can run just that.

# printed FILE TEXT: the commands behind the sentence, or its last line, that holds the text.
printed() {
    sed 's/^\.Dl [$#] /    /; s/\\e/\\/g; /^\.Pp$/d' "$TREE/$1" | awk -v text="$2" '
        !/^    / && /./ { before = $0 }
        /^    / && index(before, text) { print substr($0, 5); found = 1 }
        END { exit !found }'
}

# example_commands FILE: those that the comment at its top gives for its use.
example_commands() {
    sed -n 's/^#     //p' "$TREE/examples/$1"
}
