# systemd 252, of Debian 12, with the shipped units.
RELEASE=bookworm
source "$TESTS/container.bash"
