# systemd 257, of Debian 13, with the shipped units.
RELEASE=trixie
# shellcheck source=tests/container.bash
source "$TESTS/container.bash"
