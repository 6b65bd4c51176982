#!/usr/bin/perl

# Copyright (C) the tscast authors

# Writes the seeds of the transport stream fuzzer: corpus.pl DIR

use strict;
use warnings;

my $dir = shift or die "usage: $0 DIR\n";
my %cc;

sub crc {
    my $crc = 0xffffffff;

    for my $byte (unpack "C*", shift) {
        $crc ^= $byte << 24;
        $crc = ($crc << 1 ^ ($crc & 0x80000000 ? 0x04c11db7 : 0))
               & 0xffffffff for 1 .. 8;
    }

    return pack "N", $crc;
}

sub section {
    my ($id, $ext, $body, $n, $last, $version) = @_;

    my $s = pack "CnnCCC", $id, 0xb000 | length($body) + 9, $ext,
                 0xc1 | ($version || 0) << 1, $n || 0, $last || 0;

    return $s . $body . crc($s . $body);
}

# one unit over as many packets as it takes; %o: flags, pcr, key, scrambled

sub unit {
    my ($pid, $data, %o) = @_;
    my ($out, $start) = ("", 0x4000);
    my $max = $o{max} || 184;

    while (length $data) {
        my $af = "";

        if ($start && ($o{key} || defined $o{pcr} || $o{disc})) {
            $af = chr(($o{disc} ? 0x80 : 0) | ($o{key} ? 0x40 : 0)
                      | (defined $o{pcr} ? 0x10 : 0));
            $af .= pack "NC C", $o{pcr} >> 1, ($o{pcr} & 1) << 7 | 0x7e, 0
                if defined $o{pcr};
        }

        my $room = 184 - (length $af ? 1 + length $af : 0);
        my $n = length $data;

        $n = $room if $n > $room;
        $n = $max if $n > $max;

        my $control = 0x10;

        if (length $af || $n < 184) {
            $control = 0x30;
            my $len = 183 - $n;

            $af = "\0" if $len && !length $af;
            $af .= "\xff" x ($len - length $af);
            $af = chr($len) . $af;
        }

        my $counter = $cc{$pid} = (($cc{$pid} // 15) + 1) & 15;

        $out .= pack("CnC", 0x47, $start | $pid,
                     ($o{scrambled} ? 0x80 : 0) | $control | $counter)
                . $af . substr($data, 0, $n, "");
        $start = 0;
    }

    return $out;
}

sub psi {
    my ($pid, @sections) = @_;
    my $data = "\0" . join "", @sections;

    $data .= "\xff" x (-length($data) % 184);

    return unit($pid, $data);
}

sub pat {
    my %programs = @_;

    return section(0, 1, join "", map { pack "nn", $_, 0xe000 | $programs{$_} }
                                  sort { $a <=> $b } keys %programs);
}

sub pmt {
    my ($number, $pcr, @streams) = @_;
    my $body = pack "nn", 0xe000 | $pcr, 0xf000;

    while (my ($type, $pid, $info) = splice @streams, 0, 3) {
        $body .= pack("Cnn", $type, 0xe000 | $pid, 0xf000 | length $info)
                 . $info;
    }

    return section(2, $number, $body);
}

sub pes {
    my ($id, $data) = @_;

    return pack("NnCCC", 0x100 | $id, 0, 0x80, 0x80, 5)
           . "\x21\0\x01\0\x01" . $data;
}

sub save {
    my ($name, $data, $header) = @_;

    open my $f, ">", "$dir/$name" or die "$dir/$name: $!\n";
    binmode $f;
    print $f $header // "\x06\x12\x34\0", $data;
    close $f;
    %cc = ();
}

sub tables {
    return psi(0, pat(1 => 0x1000))
           . psi(0x1000, pmt(1, 0x100, shift, 0x100, shift // "",
                             0x0f, 0x101, ""));
}

my %frames = (
    mpeg2 => [0x02, ["\0\0\1\xb3\x16\x01\x20\x13\xff\xff\xe0\x18"
                     . "\0\0\1\xb8\0\x08\0\0\0\0\1\0\0\x0f\xff\xf8\0\0\1\1ab",
                     "\0\0\1\0\0\x57\xff\xf8\0\0\1\1ab"]],
    mpeg4 => [0x10, ["\0\0\1\xb0\1\0\0\1\x20abc\0\0\1\xb6\x10abc",
                     "\0\0\1\xb6\x50abc"]],
    h264  => [0x1b, ["\0\0\0\1\x09\xf0\0\0\1\x67abc\0\0\1\x68ab"
                     . "\0\0\1\x06\x05\x02ab\x06\1\xc4\x80"
                     . "\0\0\1\x65\x88abc",
                     "\0\0\0\1\x09\xf0\0\0\1\x41\x9aabc",
                     "\0\0\1\x09\xf0\0\0\1\x06\x06\1\xc4\x80"
                     . "\0\0\1\x41\x88abc",
                     "\0\0\1\x67abc\0\0\1\x01\xb0abc"]],
    hevc  => [0x24, ["\0\0\1\x46\1\x50\0\0\1\x40\1ab\0\0\1\x42\1ab"
                     . "\0\0\1\x28\1\xaf\0\0\1\x28\1\x2f",
                     "\0\0\1\x46\1\x50\0\0\1\x02\1\xd0ab",
                     "\0\0\1\x2a\1\xa0ab"]],
    other => [0xea, ["abc", "def"]],
    audio => [0x03, ["\xff\xfd\xa4\0abc", "\xff\xfd\xa4\0def"]],
);

for my $name (sort keys %frames) {
    my ($type, $units) = @{ $frames{$name} };

    for my $max (184, 7) {
        my $data = tables($type);
        my $n = 0;

        for my $f (@$units) {
            $data .= unit(0x100, pes(0xe0, $f), pcr => 900 * $n++, max => $max,
                          key => $n == 1);
            $data .= unit(0x101, pes(0xc0, "\xff\xf1abc")) if $max == 184;
        }

        save("$name-$max", $data);
    }
}

save("private-ac3", tables(0x06, "\x6a\1\0")
     . unit(0x100, pes(0xbd, "\x0b\x77abc")) x 3);
save("private-registration", tables(0x06, "\x05\x04HEVC\x0a\x04eng\0")
     . unit(0x100, pes(0xe0, $frames{hevc}[1][0])));
save("scrambled", tables(0x1b)
     . unit(0x100, "x" x 300, scrambled => 1, key => 1)
     . unit(0x100, "x" x 30, scrambled => 1));

my $d = tables(0x1b);
my $frame = unit(0x100, pes(0xe0, "\0\0\1\x67a\0\0\1\x65\x88b"));

save("garbage", $d . "\x47garbage\x47\x47" . $d . ("\x47" x 7)
                . ($frame x 6));
save("duplicate", $d . $frame . $frame . $frame
                  . unit(0x100, "abc", disc => 1));
save("m2ts", join "", map { "\0\0\0\0" . $_ } unpack "(a188)*", $d x 3);
save("mpts", psi(0, pat(0 => 0x10, 1 => 0x1000, 2 => 0x1000, 3 => 0x1001))
             . psi(0x1000, pmt(1, 0x1fff, 0x0f, 0x101, ""),
                           pmt(2, 0x100, 0x1b, 0x100, ""))
             . psi(0x1001, pmt(3, 0x110, 0x02, 0x110, ""))
             . unit(0x100, pes(0xe0, "\0\0\1\x67a\0\0\1\x65\x88b")));
save("long-pmt", psi(0, pat(1 => 0x1000))
                 . psi(0x1000, pmt(1, 0x100, map { (0x0f, 0x100 + $_,
                                                    "\x0a\x04eng\0") }
                                             1 .. 40)));
save("long-pat", join "",
     (map { my $n = $_;
            psi(0, section(0, 1, join("", map { pack "nn", $_,
                                                0xf000 + $_ }
                                          $n * 90 + 1 .. $n * 90 + 90),
                           $n, 2)) } 0 .. 2),
     psi(0x1001, pmt(1, 0x100, 0x1b, 0x100, "")),
     psi(0x10b5, pmt(181, 0x100, 0x1b, 0x100, "")));
save("new-pmt", tables(0x1b) . $frame . tables(0x24)
                . unit(0x100, pes(0xe0, $frames{hevc}[1][0])));
