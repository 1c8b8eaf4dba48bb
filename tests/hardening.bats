#!/usr/bin/env bats
# What the compiler and the linker were to put into the programs, by readelf(1) and objdump(1).

load helpers

# has PROGRAM OPTION REGEXP: readelf shows it of the program.
has() {
    run -0 readelf --wide "$2" "$TREE/$1"
    assert_output --regexp "$3"
}

# both_have OPTION REGEXP
both_have() {
    has timesvc "$@"
    has timesvc-static "$@"
}

@test "both programs run at random addresses" {
    both_have --dynamic 'FLAGS_1.* PIE'
}

# It is for the libc to do, and musl in a static program does not.
@test "the program with glibc has tables that are read-only once it runs" {
    has timesvc --segments ' GNU_RELRO '
    has timesvc --dynamic 'FLAGS_1.* NOW'
}

@test "no memory of either program is writable and executable, nor is the stack" {
    both_have --segments ' GNU_STACK .* RW  *0x'
    run -0 readelf --wide --segments "$TREE/timesvc" "$TREE/timesvc-static"
    refute_output --partial ' RWE '
}

@test "both programs notice a smashed stack" {
    both_have --symbols ' __stack_chk_fail'
}

@test "the program with glibc checks the bounds of what it copies" {
    has timesvc --symbols ' __(snprintf|vsnprintf|memcpy|read)_chk' # musl has no such functions
}

@test "both programs' functions begin as indirect branches have to find them" {
    [ "$(uname -m)" = x86_64 ] || skip "x86 alone has these instructions"
    run -0 objdump --disassemble=log_handled "$TREE/timesvc" "$TREE/timesvc-static"
    assert_equal "$(grep -c endbr64 <<<"$output")" 2
}
