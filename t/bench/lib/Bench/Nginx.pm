# Copyright (C) the tscast authors

package Bench::Nginx;

# An nginx for one run of a scenario.
#
# Options: binary, prefix, port; workers, pin (the worker on the first core),
# core (on another one), flush, zone, window, links (lines of the block), tcp
# (doors in stream {} as well), tls, ktls, tuned (request_pool_size; sets others
# that save memory as well), nchan (its module's path: Nchan, not tscast).

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/..';

use Bench::Proc;
use TSCast::Nginx;

sub start {
    my ($class, %o) = @_;
    my $self = bless {%o}, $class;

    remove_tree($o{prefix});
    make_path("$o{prefix}/logs", "$o{prefix}/temp");

    $self->certificate if $o{tls};

    open my $fh, '>', "$o{prefix}/nginx.conf"
        or die "$o{prefix}/nginx.conf: $!\n";
    print $fh $self->conf;
    close $fh;

    $self->{proc} = Bench::Proc->start(
        name    => 'nginx',
        command => [$o{binary}, '-p', "$o{prefix}/", '-c',
                    "$o{prefix}/nginx.conf"],
        errors  => "$o{prefix}/logs/stderr.log",
    );

    $self->wait;

    return $self;
}

sub certificate {
    my ($self) = @_;
    my $dir = $self->{prefix};

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
           . "-subj /CN=localhost -keyout $dir/key.pem -out $dir/cert.pem "
           . "2>/dev/null") == 0
        or die "openssl cannot make a certificate\n";
}

sub conf {
    my ($self) = @_;
    my $workers = $self->{workers} || 1;
    my $listen = $self->{port};
    my $prefix = $self->{prefix};
    my ($main, $http, $locations, $events, $stream) = ('', '', '', '', '');

    $main .= "user root;\n" if $> == 0;

    if ($self->{pin} && $workers == 1 && Bench::Proc::cores() > 1) {
        $main .= "worker_cpu_affinity 01;\n";

    } elsif ($self->{core} && Bench::Proc::cores() > 1) {
        $main .= "worker_cpu_affinity 10;\n";
    }

    # an idle nginx accepts most connections on one worker

    $listen .= ' reuseport' if $workers > 1;

    if ($self->{tls}) {
        $listen .= ' ssl';
        $http .= "ssl_certificate $prefix/cert.pem;\n"
                 . "ssl_certificate_key $prefix/key.pem;\n";
        $http .= "ssl_conf_command Options KTLS;\n" if $self->{ktls};
    }

    if ($self->{tuned}) {
        $http .= "request_pool_size $self->{tuned};\n"
                 . "connection_pool_size 640;\n"
                 . "client_header_buffer_size 512;\n";
    }

    if ($self->{nchan}) {
        $main .= "load_module $self->{nchan};\n";
        $locations = $self->nchan;

    } else {
        $main .= "load_module $_;\n" for TSCast::Nginx::modules();

        my $zone = $self->{zone} || '256m';
        my $window = $self->{window} || '10s';

        my $links = $self->{links} || '';

        $main .= "tscast { zone live $zone window=$window; $links }\n";
        $locations = $self->tscast;
    }

    if ($self->{tcp}) {
        $events = 'multi_accept on;';
        $stream = $self->doors;
    }

    my $plain = $self->{port} + 1;

    return <<"END_OF_CONF";
$main
daemon off;
master_process on;
worker_processes $workers;
worker_rlimit_nofile 20000;
pid $prefix/nginx.pid;
error_log $prefix/logs/error.log warn;

events {
    worker_connections 19000;
    $events
}

$stream

http {
    access_log off;
    client_body_temp_path $prefix/temp/body;
    proxy_temp_path $prefix/temp/proxy;
    fastcgi_temp_path $prefix/temp/fastcgi;
    uwsgi_temp_path $prefix/temp/uwsgi;
    scgi_temp_path $prefix/temp/scgi;
    $http

    server {
        listen $listen backlog=4096;
        listen $plain;

        $locations
    }
}
END_OF_CONF
}

# The idle request: the same GET, answered by nginx's own handler out of the
# configuration; its header has been sent, as a viewer's has, and the rest
# waits, a byte a second, with nothing open but the connection.

sub tscast {
    my ($self) = @_;
    my $flush = defined $self->{flush} ? "flush=$self->{flush}" : '';
    my $text = 'x' x 2000;

    return <<"END_OF_CONF";
        location ~ ^/push/(?<stream>[\\w.-]+)\$ {
            tscast_ingest live/\$stream;
        }

        location ~ ^/live/(?<stream>[\\w.-]+)\$ {
            tscast_play live/\$stream $flush;
        }

        location ~ ^/flv/(?<stream>[\\w.-]+)\$ {
            tscast_play live/\$stream format=flv $flush;
        }

        location ~ ^/same/(?<stream>[\\w.-]+)\$ {
            tscast_play live/\$stream format=flv flv_time=stream $flush;
        }

        location = /status {
            tscast_status;
        }

        location ~ ^/idle/(?<stream>[\\w.-]+)\$ {
            limit_rate 1;
            limit_rate_after 512;
            return 200 $text;
        }
END_OF_CONF
}

# Datagrams come in where no link takes them.

sub doors {
    my ($self) = @_;
    my $flush = defined $self->{flush} ? "flush=$self->{flush}" : '';
    my ($play, $udp) = ($self->play_port, $self->udp_port);
    my $ingest = $self->{links} ? '' : <<"END_OF_CONF";
    server {
        listen $udp udp reuseport rcvbuf=4m;
        tscast_ingest live/in;
    }
END_OF_CONF

    return <<"END_OF_CONF";
stream {
    server {
        listen $play backlog=4096;
        tscast_play live/s0 $flush;
    }

$ingest
}
END_OF_CONF
}

sub nchan {
    return <<'END_OF_CONF';
        location ~ ^/push/([\w.-]+)$ {
            client_max_body_size 1m;
            client_body_buffer_size 512k;
            keepalive_requests 1000000;
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 8;
            nchan_message_timeout 5s;
        }

        location ~ ^/live/([\w.-]+)$ {
            nchan_subscriber websocket;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
        }
END_OF_CONF
}

sub wait {
    my ($self) = @_;
    my $end = time + 10;

    while (time < $end) {
        my @workers = $self->workers;

        if (@workers == ($self->{workers} || 1)
            && IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $self->{port} + 1))
        {
            return;
        }

        sleep 0.05;
    }

    die "nginx did not start:\n"
        . Bench::Proc::read_file("$self->{prefix}/logs/stderr.log")
        . Bench::Proc::read_file("$self->{prefix}/logs/error.log");
}

# in plain text also where viewers come over TLS

sub push_port { return $_[0]{port} + 1 }

# of the doors in stream {}

sub play_port { return $_[0]{port} + 2 }
sub udp_port { return $_[0]{port} + 3 }

sub workers {
    my ($self) = @_;
    return Bench::Proc::children($self->{proc}->pid);
}

sub memory {
    my ($self) = @_;
    return Bench::Proc::memory($self->{proc}->pid, $self->workers);
}

# what the status says of a stream

sub status {
    my ($self, $name) = @_;
    my $url = 'http://127.0.0.1:' . $self->push_port
              . "/status?stream=live/$name";
    my $answer = HTTP::Tiny->new(timeout => 10)->get($url);

    die "$url: $answer->{status}\n" unless $answer->{success};

    return decode_json($answer->{content});
}

# returns what it should not have logged

sub stop {
    my ($self) = @_;

    $self->{proc}->end;

    my $log = Bench::Proc::read_file("$self->{prefix}/logs/error.log");

    return grep { /\[(?:error|crit|alert|emerg)\]/ } split /\n/, $log;
}

1;
