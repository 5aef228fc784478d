#!/bin/bash
# Build the image from scratch, without a container engine or a registry, and try it.
#
#   sudo deploy/smoke/image.sh          needs buildah, debootstrap and curl (Debian and Ubuntu have them), and 5 GB of disk
#
# Buildah builds on a Debian made by debootstrap and tagged like the base in the Dockerfile. Then the image starts on
# a read-only root as its own user, gets ready, loads each of rembg's sessions, removes a background, and stops cleanly.
# It prints the size by layer and the start time, and exits with 77 if the machine can't do it.
#
#   DEBIAN_MIRROR                      where Debian comes from
#   PIP_INDEX_URL, MODEL_MIRROR_URL    as the Dockerfile takes them
#   MAX_MB                             the largest size on top of the base
#   WORK                               a folder that is kept: the next run finds base and layers there
set -euo pipefail
cd "$(dirname "$0")/../.."

MAX_MB=${MAX_MB:-600}
DEBIAN_MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
FILE=Dockerfile
BASE=$(sed -n 's/^FROM \([^ ]*\) AS build$/\1/p' "$FILE")
SUITE=${BASE##*-} # python:3.13-slim-trixie
IMAGE=background-remover:smoke

say() { echo "smoke: $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
cannot() { say "not here: $*"; exit 77; }

for tool in buildah debootstrap curl unshare; do
    command -v "$tool" > /dev/null || cannot "$tool is not installed"
done
[ "$(id -u)" = 0 ] || cannot "debootstrap and chroot need root"
unshare --mount true 2> /dev/null || cannot "this machine allows no mount namespaces"

work=${WORK:-$(mktemp -d /var/tmp/background-remover-smoke.XXXXXX)}
mkdir -p "$work"
# A separate store: our base under a public name must not clash with other builds.
store() { buildah --root "$work/storage" --runroot "$work/run" "$@"; }
container="" server=""

clean_up() {
    [ -z "$server" ] || kill -KILL "$server" 2> /dev/null || true
    [ -z "$container" ] || store rm "$container" > /dev/null || true
    if [ -z "${WORK:-}" ]; then
        store rmi --all --force > /dev/null 2>&1 || true
        umount "$work/storage/overlay" 2> /dev/null || true
        rm -rf --one-file-system "$work"
    fi
}
trap clean_up EXIT

make_base() {
    local root="$work/base" scratch
    say "making $BASE of Debian $SUITE"
    debootstrap --variant=minbase --include=python3,python3-venv,python-is-python3,ca-certificates \
        "$SUITE" "$root" "$DEBIAN_MIRROR" > "$work/debootstrap.log" 2>&1 || { tail -5 "$work/debootstrap.log" >&2; fail "debootstrap"; }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
    # A private authority of this machine, for its mirrors.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    tar -C "$root" --one-file-system -cf "$work/base.tar" .
    rm -rf --one-file-system "$root"
    scratch=$(store from scratch)
    store add --quiet "$scratch" "$work/base.tar" / > /dev/null
    store config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$scratch"
    store commit --quiet "$scratch" "docker.io/library/$BASE" > /dev/null
    store rm "$scratch" > /dev/null
    rm "$work/base.tar"
}

build() {
    local arguments=()
    [ -z "${PIP_INDEX_URL:-}" ] || arguments+=(--build-arg "PIP_INDEX_URL=$PIP_INDEX_URL")
    [ -z "${MODEL_MIRROR_URL:-}" ] || arguments+=(--build-arg "MODEL_MIRROR_URL=$MODEL_MIRROR_URL")
    say "building $FILE"
    store build --isolation chroot --network host --layers --format docker --pull-never --file "$FILE" --tag "$IMAGE" \
        "${arguments[@]}" . > "$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; fail "the build"; }
    grep -E '^\[2/2\] STEP|MB removed' "$work/build.log" | cut -c 1-110
}

# Print name and size of each layer except the base's, in MB; fail when they are more than MAX_MB together.
check_size() {
    store inspect --type image "$IMAGE" | python3 -c '
import json, sys
image, most = json.load(sys.stdin), float(sys.argv[1])
layers = json.loads(image["Manifest"])["layers"]
steps = [step["created_by"] for step in image["OCIv1"]["history"] if not step.get("empty_layer")]
sizes = [layer["size"] / 1e6 for layer in layers]
for step, size in zip(steps, sizes, strict=True):
    print(f"{size:8.1f} MB  " + step.replace("/bin/sh -c ", "").replace("#(nop) ", "")[:90])
print(f"{sum(sizes[1:]):8.1f} MB  on top of the base; {most:g} MB are allowed")
sys.exit(sum(sizes[1:]) > most)
' "$MAX_MB" || fail "the image is too large"
}

# Replace this process with the image's command: root read-only, /tmp and /data in memory, the image's user and environment.
INSIDE='
root=$1 port=$2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/tmp"
mount -t tmpfs -o uid=10001,gid=10001,mode=750 tmpfs "$root/data"
if touch "$root/app/written" 2> /dev/null; then echo "the root is writable" >&2; exit 1; fi
shift 2
exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i "$@" HOST=127.0.0.1 PORT="$port" \
    /bin/sh -c "cd /app && exec gunicorn -c gunicorn.conf.py"
'

configured() { store inspect --type image --format "$1" "$IMAGE"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start() {
    local environment
    [ "$(configured '{{.OCIv1.Config.User}}')" = 10001:10001 ] || fail "the user is not 10001"
    [ "$(configured '{{.OCIv1.Config.Cmd}}')" = "[gunicorn -c gunicorn.conf.py]" ] || fail "another command"
    mapfile -t environment < <(configured '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' | sed '/^$/d')
    unshare --mount --pid --fork --kill-child bash -euc "$INSIDE" inside "$root" "$port" "${environment[@]}" > "$work/server.log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        kill -0 "$server" 2> /dev/null || { tail -20 "$work/server.log" >&2; fail "it ended"; }
        curl --silent --fail --max-time 5 --output /dev/null "$url/health/ready" && return
        sleep 0.1
    done
    tail -20 "$work/server.log" >&2
    fail "it is not ready after a minute"
}

# Load each session class that rembg has, and look for what should not be there.
check_contents() {
    store run --isolation chroot "$container" python -c '
import importlib.util
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import import_rembg, rembg_class
import_rembg()
from rembg.sessions import sessions
assert set(CATALOGUE) <= set(sessions) and all(rembg_class(name) for name in CATALOGUE)
left = [name for name in ("llvmlite", "numba", "scipy", "skimage", "sympy", "pymatting", "onnx", "pip") if importlib.util.find_spec(name)]
assert not left, left
print(f"{len(sessions)} sessions of rembg load")
' || fail "the contents"
}

remove_background() {
    curl --silent --show-error --fail-with-body --max-time 60 --form file=@docs/before-after.jpg "$url/remove-background" \
        --output "$work/cutout.png" || { cat "$work/cutout.png" >&2; fail "no cut-out"; }
    store run --isolation chroot "$container" python -c '
import sys
from PIL import Image
image = Image.open(sys.stdin.buffer)
assert image.format == "PNG" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 255), image
print(f"cut-out: {image.width} x {image.height}")
' < "$work/cutout.png" || fail "the cut-out"
}

stop() {
    local status=0
    kill -TERM "$(ps -o pid= --ppid "$server" | tr -d ' ')"
    wait "$server" || status=$?
    server=""
    [ "$status" = 0 ] || { tail -20 "$work/server.log" >&2; fail "it ended with $status"; }
    ! grep -E 'Traceback|"level": ?"(error|critical)"' "$work/server.log" >&2 || fail "errors in its log"
}

store inspect --type image "docker.io/library/$BASE" > /dev/null 2>&1 || make_base
build
check_size
container=$(store from --pull-never "$IMAGE")
root=$(store mount "$container")
port=$(free_port) url="http://127.0.0.1:$port"
check_contents
began=$(date +%s%N)
start
echo "ready after $((($(date +%s%N) - began) / 1000000)) ms"
owner=$(ps -o uid= --pid "$(ps -o pid= --ppid "$server" | tr -d ' ')" | tr -d ' ')
[ "$owner" = 10001 ] || fail "it runs as $owner"
remove_background
stop
echo "the image works"
