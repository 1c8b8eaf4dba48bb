#!/usr/bin/env bats
# The parser, proved to be the wire contract: tests/verify/prove.c.

load helpers

@test "the parser is the wire contract, for input of any length, in any cut, with any pauses" {
    run -0 make -C "$TREE" --no-print-directory prove
    assert_line --partial 'What can be pending is one of 15 classes: '
    assert_line --partial 'Proved for each: each of the 256 bytes, each pause and the end of input'
    assert_line --partial 'all that begins with up to 7 bytes'
    assert_line --partial 'from 65 bytes on a byte more changes nothing in the parser'
    assert_line --partial 'the short way for TIME CR LF does just what is done byte by byte'
}
