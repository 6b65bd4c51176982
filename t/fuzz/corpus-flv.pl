# Copyright (C) the tscast authors

use strict;
use warnings;

# perl corpus-flv.pl FOLDER: what fuzz_flv begins with.  The first byte says
# which part is tried, and for packets which codecs.

use FindBin;
use lib "$FindBin::Bin/../lib";

use TSCast::TS;

my ($dir) = @ARGV;


sub put {
    my ($name, $bytes) = @_;

    open my $out, '>:raw', "$dir/$name" or die "$dir/$name: $!";
    print $out substr $bytes, 0, 4096;
    close $out or die $!;
}


sub ts {
    return TSCast::TS->new(seconds => 1, bitrate => 40_000, gop => 0.2,
                           @_)->all;
}


my $h264 = "\0\0\0\1\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x61\x00\x00\x03"
           . "\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2d\x96"
           . "\0\0\0\1\x68\xeb\xe3\xcb\x22\xc0"
           . "\0\0\1\x06\x06\x01\xc4\x80\0\0\1\x65\x88\x84\x00\x10";

my $hevc = "\0\0\0\1\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00"
           . "\x00\x03\x00\x00\x03\x00\x3c\x95\x98\x09"
           . "\0\0\0\1\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00"
           . "\x00\x03\x00\x3c\xa0\x0a\x08\x0b\x9f\x79\x65\xb2"
           . "\0\0\0\1\x44\x01\xc1\x72\xb4\x62\x40\0\0\1\x26\x01\xaf\x09";

put('units-h264', "\0$h264");
put('units-hevc', "\0$hevc");

put('frames-adts', "\1" . pack('C*', 0xff, 0xf1, 0x4c, 0x80, 0x0c, 0x9f, 0xfc)
                   . 'a' x 93);
put('frames-mp3', "\1\xff\xfb\x90\x00" . "\0" x 413);
put('frames-opus', "\1\x7f\xe0\x05\x0c1234\x7f\xf4\x04\x00\x10\x00\x01\x00ab");

put('packets-h264', chr(2 | 1 << 2 | 1 << 4) . ts());
put('packets-h264-mp3', chr(2 | 1 << 2 | 2 << 4) . ts(codec => 'none'));
put('packets-hevc', chr(2 | 2 << 2 | 1 << 4) . ts(codec => 'hevc'));
put('packets-opus', chr(2 | 3 << 4) . ts(codec => 'none'));
put('packets-pmt', chr(2) . ts(codec => 'mpeg2'));
