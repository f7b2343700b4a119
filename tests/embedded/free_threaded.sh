#!/bin/sh
# Builds CPython without a global lock in the folder that is the argument, from Debian's sources, with
# the mirror that this machine's apt has. On an idle machine with two processors: two minutes.
set -eu
release=trixie
version=3.13
prefix=$1
cd "$prefix"
mkdir -p lists/partial source
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | head -n 1)
echo "deb-src $mirror $release main" > sources.list
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$prefix/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$prefix/lists" "$@"
}
apt update
# As root: no other user can write to this folder.
apt -o APT::Sandbox::User=root source --download-only --tar-only "python$version"
tar --extract --strip-components=1 --directory=source --file="$(echo python"$version"_*.orig.tar.xz)"
(cd source && ./configure -q --disable-gil --disable-test-modules --prefix="$prefix" && make -s -j2 && make -s altinstall) \
    > build.log 2>&1 || { tail build.log; exit 1; }
rm -r source lists python*
