#!/usr/bin/env bash
# Unpacks the built OHIF viewer of its npm package into .viewers/ohif, where tests/viewers finds it.
set -euo pipefail
cd "$(dirname "$0")/.."
version=3.13.2
sha512=5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
target=.viewers/ohif
[ "$(cat $target/VERSION 2>/dev/null)" = "$version" ] && exit

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
npm pack --silent --pack-destination "$scratch" "@ohif/app@$version" >/dev/null
package=$(ls "$scratch"/*.tgz)
echo "$sha512  $package" | sha512sum --check --quiet
rm -rf $target
mkdir -p $target
# Two thirds of the package are a runtime for neural networks and the viewer of microscopy, which the tests do without.
tar -xzf "$package" -C $target --strip-components=2 \
  --exclude=package/dist/ort --exclude=package/dist/dicom-microscopy-viewer package/dist
echo "$version" >$target/VERSION
