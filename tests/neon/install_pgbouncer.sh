#!/usr/bin/env bash
# Install a PgBouncer that knows prepared statements (>= 1.21), as Neon's pooler does.
# Debian 12 has 1.18: it is built from the source package of Debian 13 then.
# Needs Debian and root; does nothing where a new enough one is installed.
set -euo pipefail

new_enough() {
    local version
    version=$(pgbouncer --version 2>/dev/null | sed -n 's/^PgBouncer //p')
    [ -n "$version" ] && printf '1.21\n%s\n' "$version" | sort --version-sort --check=silent
}

if new_enough; then
    pgbouncer --version
    exit
fi

export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get update -qq
apt-get install -y -qq dpkg-dev gcc make libevent-dev libssl-dev pkg-config >/dev/null

# The archive this machine uses, and its next release; for this one download only.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' | head -1)
mkdir -p lists/partial
cat >trixie.sources <<SOURCES
Types: deb-src
URIs: $archive
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
trixie=(-o Dir::Etc::sourcelist="$work/trixie.sources" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$work/lists" -o APT::Sandbox::User=root)
apt-get "${trixie[@]}" update -qq
apt-get "${trixie[@]}" source -qq --download-only pgbouncer
dpkg-source --extract ./*.dsc source >/dev/null

cd source
{ ./configure --prefix=/usr/local --without-cares --without-pam && make -j"$(nproc)" pgbouncer; } \
    >../build.log 2>&1 || { tail -50 ../build.log; exit 1; }
install pgbouncer /usr/local/bin/pgbouncer
pgbouncer --version
