# shellcheck shell=bash disable=SC2034,SC2154

# Copyright (C) the tscast authors

# What linux.sh and macos.sh share: options, codecs, and ffmpeg that is
# started again whenever it ends. Runs in bash 3.2, which macOS has.
#
# The caller sets ffmpeg_hint, camera_help and microphone_help, and defines
# list_devices and webcam_input, which fills the array input from $camera,
# $microphone, $size and $rate.

set -u

size=1280x720
rate=30
kbits=2000
mpeg1=
camera=
microphone=

child=
input=()
video=()
audio=()


say() {
    echo "$name: $*" >&2
}


fail() {
    say "$*"
    exit 1
}


usage() {
    cat <<END
Usage: $name [options] test|webcam|FILE [URL]

Publishes a test picture, a webcam or a file, for ever, as MPEG-TS.
URL is http://127.0.0.1:8088/push/test when none is given.

  -1         MPEG-1 video and MP2 audio (for JSMpeg), not H.264 and AAC
  -v CAMERA  $camera_help
  -a SOUND   $microphone_help
  -s WxH     size of a webcam's or test picture, $size
  -r RATE    its pictures a second, $rate
  -b KBITS   bitrate of the video that is encoded here, $kbits
  -l         list cameras and microphones
  -h         this text

What a file has as H.264 or AAC (-1: as MP2) is sent as it is.
END
}


main() {
    local option

    name=${0##*/}

    while getopts 1v:a:s:r:b:lh option; do
        case $option in
        1) mpeg1=1 ;;
        v) camera=$OPTARG ;;
        a) microphone=$OPTARG ;;
        s) size=$OPTARG ;;
        r) rate=$OPTARG ;;
        b) kbits=$OPTARG ;;
        l) need ffmpeg; list_devices; exit 0 ;;
        h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
    done

    shift $((OPTIND - 1))

    if [ $# -lt 1 ] || [ $# -gt 2 ]; then
        usage >&2
        exit 2
    fi

    url=${2:-http://127.0.0.1:8088/push/test}

    need ffmpeg
    encode

    case $1 in
    test) test_input ;;
    webcam) webcam_input ;;
    *) file_input "$1" ;;
    esac

    keep_running
}


need() {
    command -v "$1" >/dev/null || fail "$1 is not installed: $ffmpeg_hint"
}


# codecs that a browser's player takes, without B-frames or look-ahead,
# with a key frame a second

encode() {
    if [ -n "$mpeg1" ]; then
        video=(-c:v mpeg1video -bf 0 -r "$rate")
        audio=(-c:a mp2 -b:a 128k)
    else
        video=(-c:v libx264 -preset veryfast -tune zerolatency)
        audio=(-c:a aac -b:a 128k)
    fi

    video+=(-pix_fmt yuv420p -force_key_frames 'expr:gte(t,n_forced)'
            -b:v "${kbits}k" -maxrate "${kbits}k" -bufsize "${kbits}k")
}


test_input() {
    input=(-re -f lavfi -i "testsrc2=size=$size:rate=$rate"
           -re -f lavfi -i 'sine=frequency=440:beep_factor=2')
}


file_input() {
    [ -r "$1" ] || fail "no file \"$1\" that can be read"

    need ffprobe

    input=(-re -stream_loop -1 -i "$1" -map '0:V:0?' -map '0:a:0?')

    case $mpeg1:$(codec_of V "$1"):$(codec_of a "$1") in
    :: | 1::) fail "\"$1\" has neither video nor audio" ;;
    :h264:aac) video=(-c:v copy); audio=(-c:a copy) ;;
    :h264:*) video=(-c:v copy) ;;
    :*:aac | 1:*:mp2) audio=(-c:a copy) ;;
    esac
}


codec_of() {
    ffprobe -v error -select_streams "$1:0" -show_entries stream=codec_name \
            -of default=noprint_wrappers=1:nokey=1 "$2" | head -n 1
}


# Nothing is held back to fill packets. A run that ends soon is followed by a
# longer pause than the one before.

keep_running() {
    local pause=1 started ran status log=(-loglevel warning)

    [ -t 2 ] && log+=(-stats)

    trap 'stop 130' INT
    trap 'stop 143' TERM HUP

    say "publishing to $url, Ctrl-C stops"

    while :; do
        started=$SECONDS

        ffmpeg -nostdin -hide_banner "${log[@]}" "${input[@]}" \
               "${video[@]}" "${audio[@]}" -flush_packets 1 \
               -pes_payload_size 0 -f mpegts "$url" &
        child=$!
        wait "$child"
        status=$?

        ran=$((SECONDS - started))

        if [ "$ran" -lt 5 ]; then
            say "is something else publishing to this address, or nobody there?"

        elif [ "$ran" -ge 30 ]; then
            pause=1
        fi

        say "ffmpeg ended with status $status after $ran s, again in $pause s"

        sleep "$pause" &
        child=$!
        wait "$child"

        pause=$((pause < 8 ? pause * 2 : 15))
    done
}


# ffmpeg ends by itself when told; a second Ctrl-C does not wait for it

stop() {
    trap 'kill -9 "$child"; exit "$1"' INT TERM HUP

    kill "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    exit "$1"
}
