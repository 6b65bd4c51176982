#!/usr/bin/env bash

# Copyright (C) the tscast authors

# Publishes a test picture, a webcam or a file from macOS; -h tells how.

# common.sh uses what is set here
# shellcheck disable=SC2034

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ffmpeg_hint="brew install ffmpeg"
camera_help="a camera's name or number, as -l shows it; the default one"
microphone_help="a microphone's name or number, or none; the default one"


# lines such as "[AVFoundation indev @ 0x7f] [0] FaceTime HD Camera"

list_devices() {
    ffmpeg -hide_banner -f avfoundation -list_devices true -i '' 2>&1 \
    | sed -n -e 's/.*AVFoundation video devices.*/cameras (-v):/p' \
             -e 's/.*AVFoundation audio devices.*/microphones (-a):/p' \
             -e 's/^\[AVF[^]]*\] \(\[[0-9]*\] .*\)/  \1/p'
}


webcam_input() {
    local devices

    : "${camera:=default}" "${microphone:=default}"

    devices=$(list_devices)

    check_device "$camera" "$(echo "$devices" | sed '/^mic/,$d')" camera -v

    if [ "$microphone" = none ]; then
        audio=(-an)
    else
        check_device "$microphone" "$(echo "$devices" | sed '1,/^mic/d')" \
                     microphone -a
    fi

    input=(-thread_queue_size 512 -f avfoundation -framerate "$rate"
           -video_size "$size" -i "$camera:$microphone")
}


# device, list, what it is, option

check_device() {
    case $2 in
    *"] "*) ;;
    *) fail "there is no $3; may this terminal use one (System Settings," \
            "Privacy)?" ;;
    esac

    [ "$1" = default ] && return

    echo "$2" | sed -n 's/^  //p' | grep -qF -e "[$1] " -e "] $1" \
    || fail "no $3 \"$1\", -l lists what there is for $4"
}


main "$@"
