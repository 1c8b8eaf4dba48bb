# systemd 257, of Debian 13, with the shipped units.
RELEASE=trixie
source "$TESTS/container.bash"
