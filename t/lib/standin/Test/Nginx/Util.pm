# Copyright (C) the tscast authors

package Test::Nginx::Util;

# The part of Test::Nginx::Util that the stand-in has: where things are, how
# long to wait, and an nginx per block.  See Test::Nginx::Socket beside it.

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(remove_tree);
use File::Spec ();
use POSIX ();
use Time::HiRes qw(sleep time);

use TSCast::Net;

our @EXPORT_OK = qw(expand start_nginx stop_nginx error_log_lines
                    forget_error_log);

our $ServerAddr = '127.0.0.1';
our $ServerName = 'localhost';
our $ServerPort = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
our $ServerPortForClient = $ENV{TEST_NGINX_CLIENT_PORT} || $ServerPort;
our $NginxBinary = $ENV{TEST_NGINX_BINARY} || 'nginx';
our $LogLevel = $ENV{TEST_NGINX_LOG_LEVEL} || 'debug';
our $Timeout = $ENV{TEST_NGINX_TIMEOUT} || 3;
our $ServRoot = $ENV{TEST_NGINX_SERVROOT} || File::Spec->rel2abs('t/servroot');
our $ErrLogFile = "$ServRoot/logs/error.log";
our $AccLogFile = "$ServRoot/logs/access.log";
our $PidFile = "$ServRoot/logs/nginx.pid";
our $MasterProcess = 'off';
our $Workers = 1;
our $WorkerConnections = 64;
our $RandPorts = {};

our $Pid;

my $log_pos = 0;

$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;


# $TEST_NGINX_NAME in a block's text

sub expand {
    my ($text) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s{\$(TEST_NGINX_[_A-Z0-9]+)}{
        my $name = $1;

        $name =~ /^TEST_NGINX_RAND_PORT_\d+$/
            ? $RandPorts->{$name} //= TSCast::Net::free_port()
            : $ENV{$name} // die "no $name in the environment\n"
    }ge;

    return $text;
}


# writes the configuration and starts it; the exit status of the command

sub start_nginx {
    my ($block) = @_;

    my $config = expand($block->config // '');
    my $main = expand($block->main_config // '');
    my $http = expand($block->http_config // '');
    my $level = $block->log_level || $LogLevel;
    my $user = $> == 0 ? 'user root;' : '';
    my $load = join ' ', map { "load_module $_;" }
               split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $temp = join ' ', map { "${_}_temp_path $ServRoot/${_}_temp;" }
               qw(client_body proxy fastcgi scgi uwsgi);

    remove_tree($ServRoot);
    mkdir $_ or die "mkdir $_: $!"
        for $ServRoot, map { "$ServRoot/$_" } qw(logs html conf);

    _write("$ServRoot/html/index.html", 'It works!');
    _user_files($block->user_files) if defined $block->user_files;

    _write("$ServRoot/conf/nginx.conf", <<"END_OF_CONF");
worker_processes $Workers;
daemon on;
master_process $MasterProcess;
error_log $ErrLogFile $level;
pid $PidFile;
env ASAN_OPTIONS;

$load $main

http {
    access_log $AccLogFile;
    $temp

    default_type text/plain;
    keepalive_timeout 68;

$http
    server {
        listen $ServerPort;
        server_name '$ServerName';
        client_max_body_size 30M;

$config

        location / {
            root $ServRoot/html;
            index index.html;
        }
    }
}

events {
    accept_mutex off;
    worker_connections $WorkerConnections;
}

$user
END_OF_CONF

    $log_pos = 0;
    undef $Pid;

    my $status;

    for my $try (1 .. 50) {
        $status = system "$NginxBinary -p $ServRoot/ "
                         . "-c $ServRoot/conf/nginx.conf "
                         . "-e $ErrLogFile > /dev/null 2>&1";

        # a port that was in use a moment ago

        last if $status == 0 || defined $block->must_die
                || join('', error_log_lines()) !~ /Address already in use/;

        forget_error_log();
        sleep 0.1;
    }

    if ($status == 0) {
        for my $try (1 .. 500) {
            last if -s $PidFile;
            sleep 0.01;
        }

        open my $in, '<', $PidFile or die "$PidFile: $!";
        ($Pid) = <$in> =~ /(\d+)/;
    }

    return $status;
}


sub stop_nginx {
    return if !defined $Pid;

    my $pid = $Pid;
    my $end = time + $Timeout;

    undef $Pid;
    kill 'QUIT', $pid;

    sleep 0.005 while _runs($pid) && time < $end;

    return if !_runs($pid);

    warn "nginx $pid does not end, killing it\n";
    kill 'KILL', reverse _children($pid), $pid;
}


# it is a child of init, which may leave it a zombie for a while

sub _runs {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/stat" or return 0;

    return (<$in> // '') =~ /\) [^ZX]/;
}


sub _children {
    my ($parent) = @_;

    open my $in, '<', "/proc/$parent/task/$parent/children" or return;

    return split ' ', <$in> // '';
}


# lines of the error log since the last request

sub error_log_lines {
    open my $in, '<', $ErrLogFile or return;
    seek $in, $log_pos, 0;

    return <$in>;
}


sub forget_error_log {
    $log_pos = -s $ErrLogFile || 0;
}


sub _user_files {
    my ($text) = @_;

    while ($text =~ /^>>> (\S+)[^\n]*\n(.*?)(?=^>>> |\z)/msg) {
        my ($name, $body) = ($1, $2);

        _write($name =~ m{^/} ? $name : "$ServRoot/html/$name", expand($body));
    }
}


sub _write {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    binmode $out;
    print $out $text;
    close $out or die "$path: $!";
}


1;
