# Copyright (C) the tscast authors

use strict;
use warnings;

# Audio of every rate that FLV and ADTS have, and of any channels.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;
use TSCast::RTMPDoor;

my $door = TSCast::RTMPDoor->new(workers => 2);

my @noise = @TSCast::RTMPDoor::NOISE;
my @aac = @TSCast::RTMPDoor::AAC;
my %source;

$source{six} = ['-f', 'lavfi', '-i', 'anoisesrc=seed=1,pan=5.1|c0=c0|c1=c0|'
                . 'c2=c0|c3=c0|c4=c0|c5=c0', '-t', 1, @aac];
$source{mono} = [@noise, '-t', 1, @aac, '-ac', 1];
$source{"aac$_"} = [@noise, '-t', 1, @aac, '-ar', $_, '-ac', 1]
    for 7350, 11025, 24000, 64000, 96000;

if (`ffmpeg -v quiet -encoders` =~ /libmp3lame/) {
    $source{"mp3_$_"} = [@noise, '-t', 1, '-c:a', 'libmp3lame', '-ar', $_]
        for 11025, 22050, 44100;
}

$door->compare(%source);

$door->{ngx}->stop;
done_testing;
