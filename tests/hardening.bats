#!/usr/bin/env bats
# What the compiler and the linker were to put into both programs, by readelf(1) and objdump(1).

load helpers

# readelf_of PROGRAM OPTION...
readelf_of() {
    run -0 readelf --wide "${@:2}" "$TREE/$1"
}

@test "both programs run at random addresses" {
    local program
    for program in timesvc timesvc-static; do
        readelf_of "$program" --dynamic
        assert_output --regexp 'FLAGS_1.* PIE'
    done
}

# It is for the libc to do, and musl in a static program does not.
@test "the program with glibc has tables that are read-only once it runs" {
    readelf_of timesvc --segments --dynamic
    assert_output --partial ' GNU_RELRO '
    assert_output --regexp 'FLAGS_1.* NOW'
}

@test "no memory of either program is writable and executable, nor is the stack" {
    local program
    for program in timesvc timesvc-static; do
        readelf_of "$program" --segments
        assert_output --regexp ' GNU_STACK .* RW  *0x'
        refute_output --partial ' RWE '
    done
}

@test "both programs notice a smashed stack" {
    local program
    for program in timesvc timesvc-static; do
        readelf_of "$program" --symbols
        assert_output --partial ' __stack_chk_fail'
    done
}

@test "the program with glibc checks the bounds of what it copies" {
    # musl has no such functions.
    readelf_of timesvc --symbols
    assert_output --regexp ' __(snprintf|vsnprintf|memcpy|read)_chk'
}

@test "both programs' functions begin as indirect branches have to find them" {
    [ "$(uname -m)" = x86_64 ] || skip "x86 alone has these instructions"
    local program
    for program in timesvc timesvc-static; do
        run -0 objdump --disassemble=log_handled "$TREE/$program"
        assert_output --partial endbr64
    done
}
