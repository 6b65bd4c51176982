# Copyright (C) the tscast authors

package TSCast::TS;

# Makes valid transport streams (ISO/IEC 13818-1) out of nothing: PAT, PMT,
# pictures that look like H.264, HEVC or MPEG-2 to whoever parses only as far
# as the picture type, and audio.  The same options always give the same bytes.
#
#     my $ts = TSCast::TS->new(gop => 2, seconds => 6, bitrate => 1_000_000);
#     my $all = $ts->all;              # everything at once, or
#     while (defined(my $bytes = $ts->frame)) { ... }   # a picture at a time
#
# Every video packet ends in "#" and its number in eight hexadecimal digits, so
# that a missing or doubled packet can be told (see TSCast::Check).
#
# Options, with their defaults:
#
#     seconds => 2       length; 0 is endless
#     gop     => 1       seconds from one key frame to the next
#     fps     => 25      pictures per second
#     bitrate => 500_000 about, bits per second
#     codec   => h264    h264, hevc, mpeg2, or none (audio only)
#     audio   => 1       an audio PID as well
#     rai     => 1       random_access_indicator on key frames
#     psi     => key     PAT and PMT before each key frame; "start": once,
#                        "none": never, "middle": before the second key frame
#     serial  => 0       number of the first video packet
#     filler  => "v"     the byte that pads pictures (tells feeds apart)
#     time    => 0       seconds added to PCR and PTS

use strict;
use warnings;

our $VIDEO_PID = 0x100;
our $AUDIO_PID = 0x101;
our $PMT_PID = 0x1000;

my %STREAM_TYPE = (h264 => 0x1b, hevc => 0x24, mpeg2 => 0x02);

# what a key frame and any other picture begin with

my %KEY = (
    h264 => "\0\0\0\1\x09\x10"                       # access unit delimiter
            . "\0\0\0\1\x67\x42\xc0\x1e\xda\x05\x07\xe4"   # 320 x 240
            . "\0\0\0\1\x68\xce\x3c\x80"
            . "\0\0\0\1\x65\x88\x84",                # IDR slice, I
    hevc => "\0\0\0\1\x46\x01\x10"
            . "\0\0\0\1\x40\x01\x0c\x01\xff\xff"
            . "\0\0\0\1\x42\x01\x01\x01\x60"
            . "\0\0\0\1\x44\x01\xc1\x72"
            . "\0\0\0\1\x26\x01\xaf\x09",            # IDR_W_RADL
    mpeg2 => "\0\0\1\xb3\x14\x00\xf0\x13\xff\xff\xe0\x18"
             . "\0\0\1\xb8\x00\x08\x00\x40"
             . "\0\0\1\x00\x00\x0f\xff\xf8"          # picture type 1, I
             . "\0\0\1\x01\x22",
);

my %OTHER = (
    h264 => "\0\0\0\1\x09\x30" . "\0\0\0\1\x41\x9a\x24",
    hevc => "\0\0\0\1\x46\x01\x30" . "\0\0\0\1\x02\x01\xd0\x09",
    mpeg2 => "\0\0\1\x00\x00\x57\xff\xf8\x80" . "\0\0\1\x01\x22",
);

my @CRC;

for my $i (0 .. 255) {
    my $c = $i << 24;

    for (1 .. 8) {
        $c = $c & 0x80000000 ? ($c << 1) ^ 0x04c11db7 : $c << 1;
    }

    push @CRC, $c & 0xffffffff;
}


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        seconds => 2, gop => 1, fps => 25, bitrate => 500_000,
        codec => 'h264', audio => 1, rai => 1, psi => 'key', serial => 0,
        filler => 'v', time => 0,
        %opt,
        n => 0, cc => {},
    }, $class;

    s/s$// for @$self{qw(seconds gop time)};

    $self->{video} = $self->{codec} ne 'none';
    $self->{every} = int($self->{gop} * $self->{fps} + 0.5) || 1;

    my $n = int($self->{bitrate} / 8 / 188 / $self->{fps} + 0.5);

    $self->{packets} = $n < 1 ? 1 : $n;

    return $self;
}


# the bytes of the next picture with its tables and its audio, or undef

sub frame {
    my ($self) = @_;

    my $n = $self->{n};

    return if $self->{seconds} && $n >= $self->{seconds} * $self->{fps};

    $self->{n}++;

    my $key = $n % $self->{every} == 0;
    my $out = '';

    $out .= $self->tables if $key && $self->_has_tables($n);
    $out .= $self->_video($n, $key) if $self->{video};
    $out .= $self->_audio($n) if $self->{audio} || !$self->{video};

    return $out;
}


# the next $seconds of the stream, or what is left of it

sub take {
    my ($self, $seconds) = @_;

    my $end = $self->{n} + int($seconds * $self->{fps} + 0.5);
    my $out = '';

    while ($self->{n} < $end) {
        my $bytes = $self->frame;
        last if !defined $bytes;
        $out .= $bytes;
    }

    return $out;
}


sub all {
    my ($self) = @_;

    die "an endless stream has no end" if !$self->{seconds};

    return $self->take($self->{seconds});
}


# seconds of media made so far

sub clock {
    my ($self) = @_;

    return $self->{n} / $self->{fps};
}


sub tables {
    my ($self) = @_;

    my $pat = pack 'n C C C n n', 1, 0xc1, 0, 0, 1, 0xe000 | $PMT_PID;
    my @es;

    push @es, [$STREAM_TYPE{$self->{codec}}, $VIDEO_PID] if $self->{video};
    push @es, [0x0f, $AUDIO_PID] if $self->{audio} || !$self->{video};

    my $pmt = pack 'n C C C n n', 1, 0xc1, 0, 0, 0xe000 | $es[0][1], 0xf000;

    $pmt .= pack 'C n n', $_->[0], 0xe000 | $_->[1], 0xf000 for @es;

    return $self->_packet(0, 1, undef, "\0" . section(0x00, $pat))
           . $self->_packet($PMT_PID, 1, undef, "\0" . section(0x02, $pmt));
}


# a table's section with its length and CRC

sub section {
    my ($id, $body) = @_;

    my $s = pack('C n', $id, 0xb000 | length($body) + 4) . $body;

    return $s . pack 'N', crc32($s);
}


sub crc32 {
    my ($bytes) = @_;

    my $c = 0xffffffff;

    for my $b (unpack 'C*', $bytes) {
        $c = (($c << 8) ^ $CRC[($c >> 24) ^ $b]) & 0xffffffff;
    }

    return $c;
}


sub _has_tables {
    my ($self, $n) = @_;

    my $when = $self->{psi};

    return $when eq 'key'
           || $when eq 'start' && $n == 0
           || $when eq 'middle' && $n == $self->{every};
}


sub _video {
    my ($self, $n, $key) = @_;

    my $pts = int(($self->{time} + $n / $self->{fps}) * 90_000) + 90_000;
    my $count = $self->{packets} * ($key ? 3 : 1);
    my $start = $key ? $KEY{$self->{codec}} : $OTHER{$self->{codec}};

    # length 0: unbounded, as video in a transport stream may be

    my $pes = "\0\0\1\xe0\0\0\x84\x80\x05" . timestamp(2, $pts) . $start;

    # adaptation field with the PCR, a second before the picture is due

    my $pcr = $pts - 90_000;
    my $af = pack 'C N n', 0x10 | ($key && $self->{rai} ? 0x40 : 0),
                  $pcr >> 1 & 0xffffffff, ($pcr & 1) << 15 | 0x7e00;

    my $out = '';

    for my $i (0 .. $count - 1) {
        my $room = $i ? 184 : 184 - 1 - length $af;
        my $head = $i ? '' : $pes;
        my $mark = sprintf '#%08x', $self->{serial}++;

        $head .= $self->{filler} x ($room - length($head) - length $mark);

        $out .= $self->_packet($VIDEO_PID, !$i, $i ? undef : $af,
                               $head . $mark);
    }

    return $out;
}


sub _audio {
    my ($self, $n) = @_;

    my $pts = int(($self->{time} + $n / $self->{fps}) * 90_000) + 90_000;

    # one ADTS frame: LC, 48 kHz, stereo, 100 bytes in all

    my $adts = pack('C*', 0xff, 0xf1, 0x4c, 0x80, 100 >> 3,
                    (100 & 7) << 5 | 0x1f, 0xfc) . 'a' x 93;

    my $pes = pack('a4 n C C C', "\0\0\1\xc0", 3 + 5 + length $adts,
                   0x84, 0x80, 5)
              . timestamp(2, $pts) . $adts;

    # audio alone has to carry the clock

    my $af;

    if (!$self->{video}) {
        my $pcr = $pts - 90_000;
        $af = pack 'C N n', 0x10, $pcr >> 1 & 0xffffffff,
                   ($pcr & 1) << 15 | 0x7e00;
    }

    return $self->_packet($AUDIO_PID, 1, $af, $pes);
}


# a PTS or DTS: 33 bits in five bytes with marker bits

sub timestamp {
    my ($prefix, $t) = @_;

    return pack 'C n n', $prefix << 4 | ($t >> 30 & 7) << 1 | 1,
                ($t >> 15 & 0x7fff) << 1 | 1, ($t & 0x7fff) << 1 | 1;
}


# one packet; what the payload leaves free is stuffed in the adaptation field,
# for tables after the section

sub _packet {
    my ($self, $pid, $unit_start, $af, $payload) = @_;

    my $cc = $self->{cc}{$pid}++ & 15;
    my $head = pack 'C n', 0x47, ($unit_start ? 0x4000 : 0) | $pid;

    if ($pid == 0 || $pid == $PMT_PID) {
        return pack 'a* C a*', $head, 0x10 | $cc,
                    $payload . "\xff" x (184 - length $payload);
    }

    my $room = 184 - length $payload;

    return $head . pack('C', 0x10 | $cc) . $payload if $room == 0;
    return $head . pack('C C', 0x30 | $cc, 0) . $payload if $room == 1;

    $af = "\0" if !defined $af;
    $af .= "\xff" x ($room - 1 - length $af);

    return $head . pack('C C', 0x30 | $cc, length $af) . $af . $payload;
}


1;
