#!/usr/bin/env bash
# A Ceph cluster in a folder of its own, as small as it can be, and its S3 gateway: one monitor, one daemon that keeps
# objects in memory. Prints the gateway's port once it answers; ends with its standard input.
#
#   ceph_gateway.sh ROOT MONITOR_PORT GATEWAY_PORT       ROOT: where Debian's packages are unpacked
#
# The user `test` has the key `test` with the secret `secret`.
set -euo pipefail
root=$1 monitor=$2 gateway=$3
libraries=$root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH=$libraries:$libraries/ceph:$root/lib/$(uname -m)-linux-gnu PATH=$root/usr/bin:$PATH
folder=$(mktemp -d)
processes=()
end() {
    trap - EXIT
    # The shell would say of each that it was killed.
    exec 2>/dev/null
    [ ${#processes[@]} -eq 0 ] || kill -KILL "${processes[@]}" || true
    wait
    rm -rf "$folder"
}
trap end EXIT
mkdir "$folder/mon" "$folder/osd" "$folder/run"
fsid=$(cat /proc/sys/kernel/random/uuid)
# All of it is on this machine and gone soon: no copies, no waiting for more to propose together.
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$monitor
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $folder/keyring
run dir = $folder/run
admin socket =
log file =
log to stderr = false
mon cluster log to file = false
plugin dir = $libraries
erasure code dir = $libraries/ceph/erasure-code
osd class dir = $libraries/rados-classes
osd class load list = *
osd class default list = *
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon data = $folder/mon
mon data avail crit = 1
mon data avail warn = 1
paxos propose interval = 0.05
paxos min wait = 0.01
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 1073741824
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$gateway
rgw thread pool size = 16
rgw enable apis = s3
rgw run sync thread = false
CONF
conf=(--conf "$folder/ceph.conf")
begin() {
    "$@" -f >>"$folder/said" 2>&1 </dev/null &
    processes+=($!)
}
may() { ceph-authtool "$folder/keyring" --gen-key -n "$@"; }
make() {
    ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *'
    may client.admin --cap mon 'allow *' --cap osd 'allow *'
    may client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
    may osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor]" "$folder/monmap"
    # The monitor begins with a map that has the one daemon in it, so nothing has to be told to it later.
    osdmaptool "${conf[@]}" --createsimple 1 "$folder/osdmap"
    ceph-mon "${conf[@]}" -i a --mkfs --monmap "$folder/monmap" --osdmap "$folder/osdmap" --keyring "$folder/keyring"
    begin ceph-mon "${conf[@]}" -i a
    # It asks the monitor for its settings.
    ceph-osd "${conf[@]}" -i 0 --mkfs --osd-uuid "$fsid"
}
make >"$folder/made" 2>&1 || { cat "$folder/made" >&2; exit 1; }
begin ceph-osd "${conf[@]}" -i 0
begin radosgw "${conf[@]}" -n client.rgw
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$gateway") 2>/dev/null; }
until answers; do
    for process in "${processes[@]}"; do
        kill -0 "$process" 2>/dev/null || { echo "it has not started:" >&2; cat "$folder/said" >&2; exit 1; }
    done
    sleep 0.1
done
radosgw-admin "${conf[@]}" -n client.rgw user create --uid=test --display-name=test --access-key=test --secret-key=secret \
    >"$folder/made" 2>&1 || { cat "$folder/made" >&2; exit 1; }
echo "$gateway"
cat >/dev/null
