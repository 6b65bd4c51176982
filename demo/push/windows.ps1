# Copyright (C) the tscast authors

<#
.SYNOPSIS
Publishes a test picture, a webcam or a file from Windows as MPEG-TS.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File windows.ps1 test
#>

param(
    [Parameter(Position = 0)] [string] $Source,
    [Parameter(Position = 1)] [string] $Url = 'http://127.0.0.1:8088/push/test',
    [switch] $Mpeg1,
    [Alias('v')] [string] $Camera,
    [Alias('a')] [string] $Microphone,
    [Alias('s')] [string] $Size = '1280x720',
    [Alias('r')] [int] $Rate = 30,
    [Alias('b')] [int] $Kbits = 2000,
    [Alias('l')] [switch] $List,
    [Alias('h')] [switch] $Help
)


function Show-Usage {
    @"
Usage: windows.ps1 [options] test|webcam|FILE [URL]

Publishes a test picture, a webcam or a file, for ever, as MPEG-TS.
URL is http://127.0.0.1:8088/push/test when none is given.

  -Mpeg1       MPEG-1 video and MP2 audio (for JSMpeg), not H.264 and AAC
  -v CAMERA    a camera's name, the first one by default
  -a SOUND     a microphone's name, or none; the first one by default
  -s WxH       size of a webcam's or test picture, 1280x720
  -r RATE      its pictures a second, 30
  -b KBITS     bitrate of the video that is encoded here, 2000
  -l           list cameras and microphones
  -h           this text

What a file has as H.264 or AAC (-Mpeg1: as MP2) is sent as it is.
Where scripts may not run: powershell -ExecutionPolicy Bypass -File windows.ps1
"@
}


function Write-Line($text) {
    [Console]::Error.WriteLine("windows.ps1: $text")
}


function Stop-With($text) {
    Write-Line $text
    exit 1
}


function Test-Program($program) {
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) {
        Stop-With "$program is not installed: winget install Gyan.FFmpeg"
    }
}


# lines such as: [dshow @ 0000] "Integrated Camera" (video)

function Get-Device($kind) {
    & ffmpeg -hide_banner -list_devices true -f dshow -i dummy 2>&1 |
        ForEach-Object {
            if ("$_" -match "`"(.+)`" \(.*$kind.*\)") {
                $Matches[1]
            }
        }
}


function Select-Device($wanted, $kind, $what) {
    $devices = @(Get-Device $kind)

    if ($devices.Count -eq 0) {
        Stop-With "there is no $what"
    }

    if (-not $wanted) {
        return $devices[0]
    }

    if ($devices -notcontains $wanted) {
        Stop-With "no $what `"$wanted`", -l lists what there is"
    }

    return $wanted
}


function Get-Codec($kind, $file) {
    & ffprobe -v error -select_streams "${kind}:0" `
        -show_entries stream=codec_name `
        -of default=noprint_wrappers=1:nokey=1 $file | Select-Object -First 1
}


if ($Help) {
    Show-Usage
    exit 0
}

if (-not $Source -and -not $List) {
    Show-Usage
    exit 2
}

Test-Program ffmpeg

if ($List) {
    'cameras (-v):'
    Get-Device video | ForEach-Object { "  $_" }
    'microphones (-a):'
    Get-Device audio | ForEach-Object { "  $_" }
    exit 0
}


# codecs that a browser's player takes, without B-frames or look-ahead,
# with a key frame a second

if ($Mpeg1) {
    $video = @('-c:v', 'mpeg1video', '-bf', '0', '-r', $Rate)
    $audio = @('-c:a', 'mp2', '-b:a', '128k')

} else {
    $video = @('-c:v', 'libx264', '-preset', 'veryfast',
               '-tune', 'zerolatency')
    $audio = @('-c:a', 'aac', '-b:a', '128k')
}

$video += @('-pix_fmt', 'yuv420p',
            '-force_key_frames', 'expr:gte(t,n_forced)',
            '-b:v', "${Kbits}k", '-maxrate', "${Kbits}k",
            '-bufsize', "${Kbits}k")


switch ($Source) {
    'test' {
        $from = @('-re', '-f', 'lavfi',
                  '-i', "testsrc2=size=${Size}:rate=$Rate",
                  '-re', '-f', 'lavfi',
                  '-i', 'sine=frequency=440:beep_factor=2')
    }

    'webcam' {
        $device = 'video=' + (Select-Device $Camera 'video' 'camera')

        if ($Microphone -eq 'none') {
            $audio = @('-an')

        } else {
            $device += ':audio=' + (Select-Device $Microphone 'audio' `
                                                  'microphone')
        }

        $from = @('-f', 'dshow', '-rtbufsize', '100M',
                  '-framerate', $Rate, '-video_size', $Size,
                  '-i', $device)
    }

    default {
        if (-not (Test-Path -LiteralPath $Source -PathType Leaf)) {
            Stop-With "no file `"$Source`""
        }

        Test-Program ffprobe

        $videoCodec = Get-Codec 'V' $Source
        $audioCodec = Get-Codec 'a' $Source

        if (-not $videoCodec -and -not $audioCodec) {
            Stop-With "`"$Source`" has neither video nor audio"
        }

        if (-not $Mpeg1 -and $videoCodec -eq 'h264') {
            $video = @('-c:v', 'copy')
        }

        if ($audioCodec -eq $(if ($Mpeg1) { 'mp2' } else { 'aac' })) {
            $audio = @('-c:a', 'copy')
        }

        $from = @('-re', '-stream_loop', '-1', '-i', $Source,
                  '-map', '0:V:0?', '-map', '0:a:0?')
    }
}


# Nothing is held back to fill packets. A run that ends soon is followed by a
# longer pause than the one before. Ctrl-C reaches ffmpeg and this script alike.

$pause = 1

Write-Line "publishing to $Url, Ctrl-C stops"

while ($true) {
    $started = Get-Date

    & ffmpeg -nostdin -hide_banner -loglevel warning -stats `
        @from @video @audio -flush_packets 1 -pes_payload_size 0 `
        -f mpegts $Url

    $status = $LASTEXITCODE
    $ran = [int] ((Get-Date) - $started).TotalSeconds

    if ($ran -lt 5) {
        Write-Line 'is something else publishing to this address, or nobody there?'

    } elseif ($ran -ge 30) {
        $pause = 1
    }

    Write-Line "ffmpeg ended with status $status after $ran s, again in $pause s"

    Start-Sleep -Seconds $pause

    $pause = [Math]::Min($pause * 2, 15)
}
