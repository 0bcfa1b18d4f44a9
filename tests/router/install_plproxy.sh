#!/usr/bin/env bash
# Install PL/Proxy, with the PostgreSQL that Debian has it for.
# Needs Debian and root; does nothing where it is installed.
set -euo pipefail

if ls /usr/share/postgresql/*/extension/plproxy.control >/dev/null 2>&1; then
    exit
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
package=$(apt-cache search --names-only '^postgresql-[0-9]+-plproxy$' | sort -V | tail -1 | cut -d' ' -f1)
# The package would make a server of its own and start it.
mkdir -p /etc/postgresql-common
grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
    echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
apt-get install -y -qq "$package" >/dev/null
ls /usr/share/postgresql/*/extension/plproxy.control
