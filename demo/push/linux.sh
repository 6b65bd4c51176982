#!/usr/bin/env bash

# Copyright (C) the tscast authors

# Publishes a test picture, a webcam or a file from Linux; -h tells how.

# common.sh uses what is set here
# shellcheck disable=SC2034

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ffmpeg_hint="apt install ffmpeg"
camera_help="a V4L2 device, /dev/video0"
microphone_help="pulse:NAME, alsa:NAME or none; what there is by default"


list_devices() {
    local device

    echo "cameras (-v):"

    for device in /sys/class/video4linux/*; do
        if [ -e "$device" ]; then
            echo "  /dev/${device##*/}  $(cat "$device/name")"
        fi
    done

    echo "microphones (-a):"

    if has_pulse && command -v pactl >/dev/null; then
        pactl list short sources | awk '{ print "  pulse:" $2 }'
    fi

    sed -n 's/^ *\([0-9]*\) \[[^]]*]: */  alsa:hw:\1  /p' \
        /proc/asound/cards 2>/dev/null
}


webcam_input() {
    local format=()

    : "${camera:=/dev/video0}"

    [ -c "$camera" ] || fail "no camera $camera, -l lists what there is"
    [ -r "$camera" ] || fail "$camera may not be read: join the group video?"

    # many cameras reach their full size and rate only as Motion JPEG

    if ffmpeg -hide_banner -f v4l2 -list_formats all -i "$camera" 2>&1 \
       | grep -q mjpeg
    then
        format=(-input_format mjpeg)
    fi

    input=(-thread_queue_size 512 -f v4l2 ${format[@]+"${format[@]}"}
           -framerate "$rate" -video_size "$size" -i "$camera")

    : "${microphone:=$(default_microphone)}"

    case $microphone in
    none) audio=(-an) ;;
    pulse:* | alsa:*)
        input+=(-thread_queue_size 512 -f "${microphone%%:*}"
                -i "${microphone#*:}") ;;
    *) fail "sound is pulse:NAME, alsa:NAME or none, not \"$microphone\"" ;;
    esac
}


default_microphone() {
    if has_pulse; then
        echo pulse:default

    elif grep -q '\[' /proc/asound/cards 2>/dev/null; then
        echo alsa:default

    else
        say "no microphone found, sending no sound"
        echo none
    fi
}


has_pulse() {
    [ -S "${XDG_RUNTIME_DIR:-/run/user/$UID}/pulse/native" ]
}


main "$@"
