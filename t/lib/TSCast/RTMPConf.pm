# Copyright (C) the tscast authors

package TSCast::RTMPConf;

# Nodes from files of conf/ that have rtmp {}, as they stand but for addresses
# and prefixes; a film that goes through them, and who watches it.
#
#     plan skip_all => $why if $why = TSCast::RTMPConf::missing();
#
#     my $ngx = TSCast::RTMPConf::node('rtmp-play');
#     my $p = publish($ngx, sub { ... });    # goes on when the sub says so
#     whole($path, 'all pictures are there');
#
# Options: change, { from => to }: addresses of the file that are others here.

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Socket::INET;
use Test::More ();

use TSCast;
use TSCast::Compare;
use TSCast::FLV;
use TSCast::RTMP;
use TSCast::RTMPServer;
use TSCast::Status;

our @ISA = 'TSCast::Nginx';
our @EXPORT = qw(node running publish save whole viewer watched player played
                 stranger);

our ($DIR, @TAGS, $TS, $IN);


sub conf {
    my ($self) = @_;

    my $conf = TSCast::FLV::slurp("$TSCast::ROOT/conf/$self->{file}.conf");
    my $user = $> == 0 ? "user root;\n" : '';

    my $load = join '', map { "load_module $_;\n" }
                        TSCast::Nginx::modules(), TSCast::RTMP::modules();

    $conf =~ s/^(load_module .*\n)+/$load${user}daemon off;/m or die;
    $conf =~ s/^worker_processes auto;/worker_processes 2;/m or die;
    $conf =~ s/error.log notice;/error.log info;/ or die;
    $conf =~ s/^(events \{\n    worker_connections) \d+/$1 1000/m or die;
    $conf =~ s{^rtmp_auto_push on;}
              {rtmp_auto_push on; rtmp_socket_dir $self->{prefix}/temp;}m;

    my $change = $self->{change} // {};

    for my $from (keys %$change) {
        $conf =~ s/\Q$from\E/$change->{$from}/g or die "no $from";
    }

    for my $port (1935 .. 1939, 8089) {
        my $other = $self->other_port($port);

        $conf =~ s/listen \K(127.0.0.1:)?$port\b/127.0.0.1:$other/;
        $conf =~ s/127.0.0.1:$port\b/127.0.0.1:$other/g;
    }

    my $rtmp = $self->other_port(1935);

    $conf =~ s{rtmp://127.0.0.1/}{rtmp://127.0.0.1:$rtmp/};
    $conf =~ s{listen (127.0.0.1:)?8088;}{
        listen 127.0.0.1:$self->{port};

        location = /tscast-alive {
            access_log off;
            return 200 "\$pid\\n";
        }
    } or die;

    return $conf;
}


sub missing {
    return TSCast::RTMP::missing() || TSCast::TLS::missing()
           || TSCast::Nginx::missing_stream()
           || (system('ffmpeg -version > /dev/null 2>&1') ? 'no ffmpeg' : '');
}


# three seconds of pictures, as FLV and as packets

sub film {
    $DIR = File::Temp::tempdir('tscast-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    @TAGS = TSCast::FLV::make("$DIR/in.flv", '-f', 'lavfi', '-i',
        'testsrc=size=320x240:rate=25', '-t', 3, '-c:v', 'libx264', '-preset',
        'veryfast', '-g', 50);

    system('ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', "$DIR/in.flv",
           '-c', 'copy', '-f', 'mpegts', "$DIR/in.ts") == 0
        or die 'ffmpeg';

    $TS = TSCast::FLV::slurp("$DIR/in.ts");
    $IN = TSCast::Compare::frames("$DIR/in.flv")->{video};

    return $DIR;
}


sub node {
    my ($file, %opt) = @_;

    return TSCast::RTMPConf->new(file => $file, workers => 2, %opt)->start;
}


sub running {
    my ($ngx) = @_;

    return scalar grep { $_->{state} eq 'running' }
                  @{TSCast::Status::get($ngx)->{links}};
}


# by HTTP: the first part, and what is left once $when says so

sub publish {
    my ($ngx, $when) = @_;

    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');
    my $first = int(length($TS) / 188 / 4) * 188;

    $p->send(substr $TS, 0, $first);
    Test::More::ok(TSCast::Net::until_true(8, $when),
                   'it comes to the other end');
    $p->send(substr $TS, $first);

    return $p;
}


sub save {
    my ($path, $bytes) = @_;

    open my $out, '>', $path or die $!;
    binmode $out;
    print $out $bytes;
    close $out or die $!;

    return $path;
}


# the pictures of the film, or with least so many of its last ones

sub whole {
    my ($path, $what, $least) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @out = @{TSCast::Compare::frames($path)->{video} // []};
    my @in = @$IN;

    splice @in, 0, @in - @out if @out < @in && @out >= ($least // @in);

    Test::More::ok("@out" eq "@in", $what)
        or Test::More::diag(scalar @out, ' of ', scalar @$IN);
}


# as soon as it plays

sub viewer {
    my ($ngx, $path) = @_;

    my $v;

    TSCast::Net::until_true(8, sub {
        $v->close if $v;
        $v = TSCast::Reader->http(port => $ngx->port, version => '1.0',
                                  path => $path // '/live/cam1.ts');
        return ($v->wait_head // 0) == 200;
    }) or die 'it does not play';

    return $v;
}


# reads until the film is over, and keeps what has come

sub watched {
    my ($v, $path) = @_;

    TSCast::Net::until_true(8, sub {
        my $bytes = $v->{bytes};

        TSCast::Reader::pump(0.5, sub { $v->{bytes} > $bytes }, $v);

        return $v->{bytes} == $bytes || $v->{end};
    });

    $v->close;

    return save($path, $v->{body});
}


# a player of RTMP

sub player {
    my ($port, $path, %opt) = @_;

    my ($app, $name) = split '/', $path;
    my $p = TSCast::RTMP->new(port => $port, app => $app, %opt);

    $p->_command('play', 3, TSCast::RTMP::_null() . TSCast::RTMP::_string($name)
                            . TSCast::RTMP::_number(-1000));

    # all that has come so far is still there

    return bless { %$p, chunk => 128, last => {} },
                 'TSCast::RTMPServer::Session';
}


# what it has got up to the end of the stream, from a key frame on

sub played {
    my ($p, $path) = @_;

    my $flv = "FLV\x01\x01" . pack 'N N', 9, 0;
    my $key = 0;

    while (my $m = $p->message) {
        my ($first, $second) = unpack 'C C', $m->{body};

        last if $m->{type} == 4 && $second == 1;
        next if $m->{type} != 9;

        $key ||= $second == 1 && $first >> 4 == 1;

        next if $second == 1 && !$key;

        $flv .= pack('C n C n C C x3', 9, $m->{len} >> 8, $m->{len} & 255,
                     ($m->{time} >> 8) & 0xffff, $m->{time} & 255,
                     $m->{time} >> 24) . $m->{body} . pack 'N', $m->{len} + 11;
    }

    $p->close;

    return save($path, $flv);
}


# a connection from another address than all others

sub stranger {
    my ($port) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
                                     LocalAddr => '127.0.0.2') or die $!;

    return (port => $port, sock => $sock);
}


1;
