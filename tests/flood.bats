#!/usr/bin/env bats
# A burst of connections, against the shipped configuration or, where there is none, the
# supervisor as it is. Run under every supervisor, and beside nothing else.

load helpers

@test "soon after a flood of 3000 connections an ordinary client is answered within two seconds" {
    run -0 "$TESTS/flood.py" burst "$ADDRESS" 3000 300 \
        close reset close quit close quit close quit close quit
    echo "# $SUPERVISOR: $output" >&3
    # A slow machine has to end the flood's handlers first.
    retry converse 'send:TIME\r\n' 'expect:JAM %T\r\n' within:2 'send:QUIT\r\n' eof
    report flood survives
}
