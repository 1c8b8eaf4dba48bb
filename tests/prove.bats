#!/usr/bin/env bats
# The parser, proved to be the wire contract: tests/verify/prove.c.

load helpers

@test "the parser is the wire contract, for input of any length, in any cut, with any pauses" {
    run -0 make -C "$TREE" --no-print-directory prove
    assert_line --partial 'Tried all that begins with up to 8 bytes'
    assert_line --partial 'Proved for input of any length, in any cut, with any pauses'
    assert_line --partial 'The short way for TIME CR LF does just what is done byte by byte'
}
