# Copyright (C) the tscast authors

use strict;
use warnings;

# Streams of other encoders: each comes out as it went in, and one that joins
# later starts with PAT, PMT and a key frame.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use TSCast;

my $dir = TSCast::media_dir();

plan(skip_all => 'no ../shared/media beside this tree')
    if !defined $dir || !-d $dir;

my $ngx = TSCast::Nginx->new(
    workers => 2,
    tscast => 'zone live 32m window=60s buffer=8m;',
    server => <<'END_OF_CONF',
        location ~ ^/push/(?<stream>.+)$ { tscast_ingest live/$stream; }
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
        location ~ ^/late/(?<stream>.+)$ { tscast_play live/$stream linger=0; }
END_OF_CONF
)->start;


sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or die "$path: $!";
    binmode $in;
    local $/;

    return scalar <$in>;
}


# key frames and streams as ffprobe sees them

sub probe {
    my ($path) = @_;

    my $show = '-select_streams v -show_entries packet=flags -of csv=p=0';
    my $text = `ffprobe -v quiet $show $path`;

    return $text =~ /^([K_])/ ? $1 : '';
}


for my $path (glob "$dir/*.ts") {
    my ($name) = $path =~ m{([^/]+)\.ts$};
    my $bytes = slurp($path);

    # whole packets: one of the files ends in the middle of one

    my $whole = substr $bytes, 0, length($bytes) - length($bytes) % 188;

    # in pieces that fit nothing

    my $p = TSCast::Publisher->new(port => $ngx->port, path => "/push/$name",
                                   split => 1000);
    $p->send($bytes);
    is($p->finish->status, 204, "$name is taken");
    $p->close;

    for my $how (qw(http ws)) {
        my $v = TSCast::Reader->$how(port => $ngx->port,
                                     path => "/live/$name");

        is($v->wait_end, 'complete', "$name over $how ends");
        ok($v->{body} eq $whole, "$name over $how, byte for byte")
            or diag("$v->{bytes} of " . length $whole);
        is("@{$v->{faults}}", '', 'without a fault');
        $v->close;
    }

    my $v = TSCast::Reader->http(port => $ngx->port, path => "/late/$name");

    is($v->wait_end, 'complete', "$name, later");
    cmp_ok($v->{bytes}, '>', 0, 'there is something to see');
    is(TSCast::Check::tables_first($v->{body}), 'PAT PMT', 'tables first');

    my $late = $ngx->write_file('late.ts', $v->{body});
    my $flag = probe($path);

    is(probe($late), 'K', "$name starts at a key frame") if $flag ne '';
    $v->close;
}

$ngx->stop;
done_testing;
