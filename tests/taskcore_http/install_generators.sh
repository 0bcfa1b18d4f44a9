#!/usr/bin/env bash
# Install what the tests of generated clients need, on Debian as root: languages, and the
# generators in an environment of their own, whose folder is given.
set -euo pipefail

missing=()
command -v javac >/dev/null || missing+=(default-jdk-headless)
command -v go >/dev/null || missing+=(golang-go)
command -v ruby >/dev/null && ruby -e 'require "typhoeus"' 2>/dev/null || missing+=(ruby ruby-typhoeus)
if [ "${#missing[@]}" -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq "${missing[@]}" >/dev/null
fi
python3 -m venv "$1"
"$1/bin/pip" install -q openapi-python-client openapi-generator-cli
