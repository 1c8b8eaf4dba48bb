# systemd 252, of Debian 12, with the shipped units.
RELEASE=bookworm
# shellcheck source=tests/container.bash
source "$TESTS/container.bash"
