#!/bin/sh
# Builds free-threaded CPython from Debian's sources and installs it into the directory given as the argument.
# The sources come from the mirror that apt uses. The build takes a minute and a half on two idle processors; it is
# not optimized, because one row of tests uses it.
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
# Download as root: the user _apt cannot write to this directory.
apt -o APT::Sandbox::User=root source --download-only --tar-only "python$version"
tar --extract --strip-components=1 --directory=source --file="$(echo python"$version"_*.orig.tar.xz)"
(cd source && ./configure -q --disable-gil --disable-test-modules OPT="-DNDEBUG -fwrapv -O0" --prefix="$prefix" && make -s -j2 && make -s altinstall) \
    > build.log 2>&1 || { tail build.log; exit 1; }
rm -r source lists python*
