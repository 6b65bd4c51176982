# Copyright (C) the tscast authors

package TSCast::FLV;

# FLV files, and tags of FLV made of what other files hold.
#
#     my @tags = TSCast::FLV::read_file($path);
#
# A tag is { type => 8, 9 or 18, time => ms, body => bytes }.
#
#     TSCast::FLV::make($path, @ffmpeg_options)    a file by ffmpeg
#     TSCast::FLV::hevc($path)                     tags of Enhanced RTMP from an
#                                                  HEVC stream without B-frames
#     TSCast::FLV::is_config($tag)                 a sequence header

use strict;
use warnings;

our $AUDIO = 8;
our $VIDEO = 9;
our $SCRIPT = 18;


sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
    binmode $in;
    local $/;

    return scalar <$in>;
}


sub read_file {
    my ($path) = @_;

    my $bytes = slurp($path);
    my ($header) = unpack 'x5 N', $bytes;
    my $at = $header + 4;
    my @tags;

    while ($at + 11 <= length $bytes) {
        my ($type, $s1, $s2, $t1, $t2, $t3) = unpack 'C C n C n C',
                                                     substr $bytes, $at, 8;
        my $len = $s1 << 16 | $s2;

        push @tags, {
            type => $type,
            time => $t3 << 24 | $t1 << 16 | $t2,
            body => substr($bytes, $at + 11, $len),
        };

        $at += 11 + $len + 4;
    }

    return @tags;
}


sub make {
    my ($path, @options) = @_;

    # "error" is what decoders say of a stream that begins in the middle

    system('ffmpeg', '-nostdin', '-v', 'fatal', '-y', @options, '-f', 'flv',
           $path) == 0
        or die "ffmpeg: $path";

    return read_file($path);
}


sub is_config {
    my ($tag) = @_;

    my ($first, $second) = unpack 'C C', $tag->{body};

    return if !defined $second;

    return $tag->{type} == $AUDIO
           ? $first >> 4 == 10 && $second == 0
           : $tag->{type} == $VIDEO
             && ($first & 0x80 ? ($first & 15) == 0 : $second == 0);
}


# access units of an Annex B stream of HEVC that has delimiters; each is a list
# of NAL units

sub _units {
    my ($bytes) = @_;

    my @units = [];

    for my $nal (split /\x00*\x00\x00\x01/, $bytes) {
        next if $nal eq '';

        my $type = (ord($nal) >> 1) & 0x3f;

        # what follows is another picture's, once there is one

        if ($type == 35) {
            push @units, [] if grep { $_->[0] < 32 } @{$units[-1]};
            next;
        }

        push @{$units[-1]}, [$type, $nal];
    }

    return @units;
}


# HEVCDecoderConfigurationRecord: ISO/IEC 14496-15, 8.3.3.1

sub hvcc {
    my (@nals) = @_;

    my ($sps) = map { $_->[1] } grep { $_->[0] == 33 } @nals;

    # general_profile_space up to general_level_idc, as in the SPS

    my $general = substr $sps, 3, 12;

    my $out = pack('C a12 n C4 n C C', 1, $general, 0xf000, 0xfc, 0xfd, 0xf8,
                   0xf8, 0, 0x0f, 3);

    for my $type (32, 33, 34) {
        my @sets = map { $_->[1] } grep { $_->[0] == $type } @nals;

        $out .= pack 'C n', 0x80 | $type, scalar @sets;
        $out .= pack 'n/a*', $_ for @sets;
    }

    return $out;
}


# tags of Enhanced RTMP from a file of HEVC in Annex B

sub hevc {
    my ($path, %opt) = @_;

    my @units = _units(slurp($path));
    my $fps = $opt{fps} // 25;
    my @sets = grep { $_->[0] >= 32 && $_->[0] <= 34 } @{$units[0]};

    my @tags = { type => $VIDEO, time => 0,
                 body => pack('C a4 a*', 0x90, 'hvc1', hvcc(@sets)) };

    for my $n (0 .. $#units) {
        my @nals = grep { $_->[0] < 32 || $_->[0] > 34 } @{$units[$n]};
        my $key = grep { $_->[0] >= 16 && $_->[0] <= 23 } @nals;

        # with a composition time, and without: both are in use

        my $kind = $n % 2 ? 3 : 1;

        push @tags, {
            type => $VIDEO, time => int($n * 1000 / $fps + 0.5),
            body => pack('C a4', ($key ? 0x90 : 0xa0) | $kind, 'hvc1')
                    . ($kind == 1 ? "\0\0\0" : '')
                    . join('', map { pack 'N/a*', $_->[1] } @nals),
        };
    }

    return @tags;
}


1;
