# Copyright (C) the tscast authors

package TSCast::RTMPDoor;

# An nginx with rtmp doors, and those who come to it.
#
#     my $door = TSCast::RTMPDoor->new(workers => 2);
#
#     my $p = $door->publisher('cam');         # a TSCast::RTMP, accepted
#     $door->round($p);                        # of media; the next is later
#     my $v = $door->viewer('cam');            # of /live/cam
#
#     $door->send_file($flv, 'film');          # by ffmpeg, tests
#     my $bytes = $door->watch('http', 'film');    # all of it, tests
#
# Options: what TSCast::Nginx takes, and
#
#     rtmp    applications ("live", which publishes to live/$name)
#
# What it has: {ngx}, {port} (of RTMP), {dir}.
#
# Without nginx-rtmp or ffmpeg the test is skipped.

use strict;
use warnings;

use Test::More ();

use TSCast::Compare;
use TSCast::FLV;
use TSCast::Nginx;
use TSCast::RTMP;

our @TEST = ('-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25');
our @NOISE = ('-f', 'lavfi', '-i', 'anoisesrc=seed=1:amplitude=0.2');
our @X264 = ('-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p',
             '-g', 25);
our @AAC = ('-c:a', 'aac', '-b:a', '64k');


sub needed {
    my $missing = TSCast::RTMP::missing();

    Test::More::plan(skip_all => $missing) if $missing;
    Test::More::plan(skip_all => 'no ffmpeg')
        if system('ffmpeg -version > /dev/null 2>&1');
}


# parts of a configuration, for those who want no more of this

sub rtmp {
    my ($applications) = @_;

    return TSCast::RTMP::load() . <<"END_OF_CONF";
rtmp {
    access_log off;

    server {
        listen 127.0.0.1:\$PORT_1;

$applications
    }
}
END_OF_CONF
}


sub new {
    my ($class, %opt) = @_;

    needed();

    my $rtmp = delete $opt{rtmp}
               // 'application live { live on; tscast_ingest live/$name; }';

    my $ngx = TSCast::Nginx->new(
        tscast => 'zone live 64m window=60s;',
        server => <<'END_OF_CONF',
        location ~ ^/live/(?<stream>.+)$ {
            tscast_play live/$stream start=oldest linger=0;
        }
END_OF_CONF
        %opt,
        main => rtmp($rtmp) . ($opt{main} // ''),
    )->start;

    return bless {
        ngx => $ngx, port => $ngx->other_port(1), dir => $ngx->prefix,
    }, $class;
}


# three seconds with B-frames and sound

sub film {
    my ($self) = @_;

    $self->{film} ||= [TSCast::FLV::make("$self->{dir}/av.flv", @TEST, @NOISE,
                                         '-t', 3, @X264, '-bf', 2, @AAC)];

    return @{$self->{film}};
}


sub publisher {
    my ($self, $name, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $accepted = delete $opt{accepted} // 1;
    my $p = TSCast::RTMP->new(port => $self->{port}, name => $name, %opt);

    Test::More::is($p->status, $TSCast::RTMP::START, "$name is accepted")
        if $accepted;

    return $p;
}


# round after round of the same media, each later than the one before

sub round {
    my ($self, $p) = @_;

    my @tags = $self->film;
    my $late = ($p->{rounds}++ // 0) * ($tags[-1]{time} + 40);

    return $p->tags(map { { %$_, time => $_->{time} + $late } } @tags);
}


sub viewer {
    my ($self, $name, %opt) = @_;

    my $how = delete $opt{how} // 'http';
    my $path = $name =~ m{^/} ? $name : "/live/$name";
    my $v;

    TSCast::Net::until_true(5, sub {
        $v = TSCast::Reader->$how(port => $self->{ngx}->port, path => $path,
                                  %opt);
        $v->wait_head == 404 ? do { $v->close; 0 } : 1;
    });

    return $v;
}


sub send_file {
    my ($self, $flv, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::is(
        TSCast::Compare::said('ffmpeg', '-v', 'error', '-i', $flv, '-c',
                              'copy', '-f', 'flv',
                              "rtmp://127.0.0.1:$self->{port}/live/$name"),
        '', "$name is published");
}


sub watch {
    my ($self, $how, $name, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $v = $self->viewer($name, how => $how, %opt);

    $v->wait_end(20);
    Test::More::is(join(', ', @{$v->{faults}}), '',
                   "$name over $how: no fault");
    $v->close;

    return $v->{body};
}


# publishes each source, options of ffmpeg by name, and compares what comes out

sub compare {
    my ($self, %source) = @_;

    my $how = 'http';

    for my $name (sort keys %source) {
        my $flv = "$self->{dir}/$name.flv";

        TSCast::FLV::make($flv, @{$source{$name}});
        $self->send_file($flv, $name);

        $how = $how eq 'http' ? 'ws' : 'http';

        my $ts = $self->{ngx}->write_file("$name.ts",
                                          $self->watch($how, $name));

        TSCast::Compare::same($name, $flv, $ts);
    }
}


1;
