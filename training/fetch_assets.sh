#!/bin/sh
# Downloads the fonts and word lists that the pages are made of (Debian packages) and unpacks the needed files.
# usage: training/fetch_assets.sh [DIRECTORY]     (default: .train/assets)
set -eu
target=${1:-.train/assets}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages=$(sed 's/#.*//' "$(dirname "$0")/packages.txt")
# shellcheck disable=SC2086  # a list of names
(cd "$work" && apt-get download $packages)
for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
mkdir -p "$target/fonts" "$target/words"
find "$work/root" -name '*.[to]tf' | while read -r font; do
    name=$(basename "$font" | sed 's/\.[to]tf$//')
    if grep -qx "$name" "$(dirname "$0")/fonts.txt"; then cp "$font" "$target/fonts/"; fi
done
for list in american-english ngerman french spanish; do
    cp -L "$work/root/usr/share/dict/$list" "$target/words/$list"
done
find "$target/fonts" -type f | wc -l
