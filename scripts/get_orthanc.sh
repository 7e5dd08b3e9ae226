#!/usr/bin/env bash
# Unpacks Orthanc's current release, of Debian's unstable suite, into .viewers/orthanc, with every library that it needs.
# Nothing is installed: apt works in a folder of its own. The suite changes daily, so the version is not pinned.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$PWD/.viewers/orthanc
[ -x "$target/Orthanc" ] && exit

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mirrors=$(grep -rhoE --include='*.list' --include='*.sources' 'https?://[^ ]+/debian/?( |$)' /etc/apt || true)
mirror=${mirrors%%[[:space:]]*}
[ -n "$mirror" ] || { echo "no mirror of Debian among the sources of apt" >&2; exit 1; }
mkdir -p "$scratch"/{lists,archives}/partial
touch "$scratch/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror unstable main" >"$scratch/sources.list"
own_apt=(
  apt-get -qq -o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State=$scratch" -o "Dir::State::status=$scratch/status" -o "Dir::Cache=$scratch"
  -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=true
)
"${own_apt[@]}" update
"${own_apt[@]}" --yes --no-install-recommends --download-only install orthanc orthanc-dicomweb >/dev/null
rm -rf "$target"
mkdir -p "$target"
for package in "$scratch"/archives/*.deb; do
  dpkg-deb --extract "$package" "$target"
done
cat >"$target/run" <<'END'
#!/bin/sh
# Runs Orthanc with the libraries beside it instead of the system's.
root=$(dirname "$(readlink -f "$0")")
loader=$(ls "$root"/usr/lib/*-linux-gnu/ld-linux*.so.* | head -n 1)
export DCMDICTPATH="$root/usr/share/dcmtk/dicom.dic"
exec "$loader" --library-path "$(dirname "$loader"):$root/usr/lib" "$root/usr/sbin/Orthanc" "$@"
END
chmod +x "$target/run"
"$target/run" --version >"$scratch/version"
head -n 1 "$scratch/version"
mv "$target/run" "$target/Orthanc"
