# Copyright (C) the tscast authors

package TSCast::Nginx;

# An nginx of one's own for scenarios with several workers and peers.
#
#     my $ngx = TSCast::Nginx->new(
#         workers => 2,
#         tscast  => 'zone live 8m;',
#         server  => 'location /live/ { tscast_play live/cam; }',
#     );
#
#     $ngx->start;
#     ... $ngx->port, $ngx->workers, $ngx->reload, $ngx->kill_worker($pid) ...
#     $ngx->stop;                # and tests that the error log is clean
#
# Options: main, tscast, events, http, server (parts of the configuration),
# workers, connections (of each), log (error log level), listen (more of the
# listen directive), netns (a host of TSCast::Netns: the port is the path of a
# UNIX socket then).
# In each part $PORT stands for the port and $PREFIX for the server's folder;
# $PORT_1, $PORT_2, ... are other free ports.
#
# Environment: TEST_NGINX_BINARY, TEST_NGINX_LOAD_MODULES, TSCAST_MODULES_DIR.
#
# The access log has a line "status pid method uri stream sent skipped" per
# request.  Every nginx is ended by its pid, also when the test dies.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use TSCast::Net;
use TSCast::Reader;

my %RUNNING;
my $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $CONF = <<'END_OF_CONF';
%LOAD
%USER
daemon off;
master_process on;
worker_processes %WORKERS;
pid $PREFIX/nginx.pid;
error_log $PREFIX/logs/error.log %LEVEL;

%MAIN

events {
    worker_connections %CONNECTIONS;
    accept_mutex off;
    %EVENTS
}

%TSCAST

http {
    default_type text/plain;
    log_format tscast '$status $pid $request_method $uri %VARS';
    access_log $PREFIX/logs/access.log tscast;
    %TEMP

    %HTTP

    server {
        listen %ADDRESS %LISTEN;

        location = /tscast-alive {
            access_log off;
            return 200 "$pid\n";
        }

        %SERVER
    }
}
END_OF_CONF


sub binary {
    return $ENV{TEST_NGINX_BINARY} || 'nginx';
}


# what nginx -V says, whether it was built with some module

my $BUILT;

sub built {
    return $BUILT //= _capture(binary(), '-V');
}


# kilobytes of a process that are its own; 0 where a checker adds some

sub own_memory {
    my ($self, $pid) = @_;

    return 0 if $ENV{SANITIZE} || $ENV{VALGRIND};

    my ($kb) = (_slurp("/proc/$pid/status") // '') =~ /^RssAnon:\s+(\d+)/m;

    return $kb // die "no RssAnon of $pid";
}


sub modules_dir {
    return $ENV{TSCAST_MODULES_DIR} || "$ROOT/build";
}


# the modules to load, in order

sub modules {
    return split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
        if defined $ENV{TEST_NGINX_LOAD_MODULES};

    my $dir = modules_dir();
    my $doors = "$dir/ngx_stream_tscast_module.so";
    my ($path) = built() =~ /--modules-path=(\S+)/;
    my @load = "$dir/ngx_tscast_module.so";

    if (built() !~ /--with-stream=dynamic/) {
        push @load, $doors;

    } elsif (-e $doors && -e "$path/ngx_stream_module.so") {
        unshift @load, "$path/ngx_stream_module.so";
        push @load, $doors;
    }

    return grep { -e } @load;
}


# why there are no doors in stream {}, or ""

sub missing_stream {
    my $has = built() =~ /--with-stream(\s|\z)/
              && !-e modules_dir() . '/ngx_tscast_module.so'
              || grep { m{/ngx_stream_tscast_module\.so\z} } modules();

    return $has ? '' : 'no stream module';
}


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        main => '', tscast => undef, events => '', http => '', server => '',
        workers => 1, connections => 1000, log => 'info', listen => '',
        %opt,
        expect => [], ports => {},
    }, $class;

    $self->{prefix} = tempdir('tscast-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $self->{port} = $self->{netns} ? "$self->{prefix}/http.sock"
                                   : TSCast::Net::free_port();

    mkdir "$self->{prefix}/$_" for qw(logs html temp);

    return $self;
}


sub port { return $_[0]{port} }
sub prefix { return $_[0]{prefix} }
sub master { return $_[0]{master} }


# another free port: $PORT_n in the configuration

sub other_port {
    my ($self, $n) = @_;

    return $self->{ports}{$n} //= TSCast::Net::free_port();
}


sub conf {
    my ($self) = @_;

    my $built = built();

    my %part = (
        LOAD => join("\n", map { "load_module $_;" } modules()),
        USER => $> == 0 ? 'user root;' : '',
        WORKERS => $self->{workers},
        LEVEL => $self->{log},
        MAIN => $self->{main},
        CONNECTIONS => $self->{connections},
        EVENTS => $self->{events},
        TSCAST => defined $self->{tscast} ? "tscast {\n$self->{tscast}\n}"
                                          : '',
        VARS => defined $self->{tscast}
                ? '$tscast_stream $tscast_sent $tscast_skipped' : '- - -',
        TEMP => join("\n    ", map { "${_}_temp_path \$PREFIX/temp/$_;" }
                               grep { $built !~ /--without-http_${_}_module/ }
                               qw(client_body proxy fastcgi uwsgi scgi)),
        HTTP => $self->{http},
        ADDRESS => $self->{netns} ? 'unix:$PORT' : '127.0.0.1:$PORT',
        LISTEN => $self->{listen},
        SERVER => $self->{server},
    );

    my $conf = $CONF;

    $conf =~ s/%([A-Z]+)/$part{$1}/g;
    $conf =~ s/\$PORT_(\d+)/$self->other_port($1)/ge;
    $conf =~ s/\$PORT\b/$self->{port}/g;
    $conf =~ s/\$PREFIX\b/$self->{prefix}/g;

    return $conf;
}


sub write_conf {
    my ($self) = @_;

    return $self->write_file('nginx.conf', $self->conf);
}


# writes a file under the prefix and returns its path

sub write_file {
    my ($self, $name, $text) = @_;

    open my $out, '>', "$self->{prefix}/$name" or die $!;
    binmode $out;
    print $out $text;
    close $out or die $!;

    return "$self->{prefix}/$name";
}


# nginx -t: the exit status and what it said

sub check_conf {
    my ($self) = @_;

    $self->write_conf;

    my $said = _capture(binary(), '-t', '-p', $self->{prefix},
                        '-e', "$self->{prefix}/logs/check.log",
                        '-c', "$self->{prefix}/nginx.conf");

    return ($?, $said);
}


sub start {
    my ($self) = @_;

    $self->write_conf;

    defined(my $pid = fork) or die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{prefix}/logs/stdout";
        open STDERR, '>', "$self->{prefix}/logs/stderr";

        my @cmd = (binary(), '-p', $self->{prefix},
                   '-e', "$self->{prefix}/logs/error.log",
                   '-c', "$self->{prefix}/nginx.conf");

        unshift @cmd, 'nsenter', "--net=/proc/$self->{netns}{pid}/ns/net"
            if $self->{netns};

        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    $self->{master} = $pid;
    $RUNNING{$pid} = [$$, $self];

    my $up = TSCast::Net::until_true(15, sub {
        die $self->_why('nginx did not start') if $self->_master_gone;
        $self->workers == $self->{workers} && defined $self->alive;
    });

    die $self->_why('nginx does not answer') if !$up;

    return $self;
}


# the pid of a worker that answers, undef if none does

sub alive {
    my ($self) = @_;

    my $pid;

    eval {
        my $r = TSCast::Reader->http(
            sock => TSCast::Net::dial($self->{port}, deadline => 0.1),
            path => '/tscast-alive', deadline => 2);

        $r->wait_end(2);
        $pid = $1 if $r->{body} =~ /\A(\d+)\n/;
        $r->close;
    };

    return $pid;
}


# pids of the workers: those that accept, and with (all => 1) those as well
# that only finish what they have

sub workers {
    my ($self, %opt) = @_;

    my @pids;

    for my $pid (_children($self->{master})) {
        my $title = _slurp("/proc/$pid/cmdline") // next;

        # valgrind hides the titles: its old workers do not listen

        if ($title =~ /\Anginx: /) {
            next if $title !~ /worker process/;
            next if !$opt{all} && $title =~ /shutting down/;

        } else {
            next if !$opt{all} && !$self->_listens($pid);
        }

        push @pids, $pid;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


# has the process a listening socket of ours?

sub _listens {
    my ($self, $pid) = @_;

    my %listening = map { $_ => 1 } TSCast::Net::listening($self->{port});

    for my $fd (glob "/proc/$pid/fd/*") {
        my $to = readlink($fd) // next;

        return 1 if $to =~ /\Asocket:\[(\d+)\]/ && $listening{$1};
    }

    return 0;
}


# a new generation serves, and the old one knows that it is old; meanwhile is
# called over and over until then

sub reload {
    my ($self, %opt) = @_;

    my %old = map { $_ => 1 } $self->workers(all => 1);

    $self->write_conf if $opt{conf};

    kill 'HUP', $self->{master};

    my $done = TSCast::Net::until_true(15, sub {
        die $self->_why('nginx is gone') if $self->_master_gone;

        $opt{meanwhile}->() if $opt{meanwhile};

        my @now = $self->workers;

        return if @now != $self->{workers} || grep { $old{$_} } @now;

        my $pid = $self->alive;

        return defined $pid && !$old{$pid};
    });

    die $self->_why('the reload did not come to an end') if !$done;

    return $self->workers;
}


# kill -9; returns when another worker has taken its place

sub kill_worker {
    my ($self, $pid) = @_;

    my $young = grep { $_ == $pid } $self->workers;

    push @{$self->{expect}},
         qr/\[alert\] \d+#\d+: worker process $pid exited on signal 9/;

    $self->{killed}++;

    kill 'KILL', $pid;

    TSCast::Net::until_true(10, sub {
        !grep { $_ == $pid } $self->workers(all => 1)
    }) or die "worker $pid does not die";

    return if !$young;

    TSCast::Net::until_true(10, sub { $self->workers == $self->{workers} })
        or die 'no new worker came';
}


sub stop_worker {
    my ($self, $pid) = @_;

    kill 'STOP', $pid;
    $self->{stopped}{$pid} = 1;

    TSCast::Net::until_true(5, sub {
        (_slurp("/proc/$pid/stat") // '') =~ /\) T/
    }) or die "worker $pid does not stop";
}


sub cont_worker {
    my ($self, $pid) = @_;

    delete $self->{stopped}{$pid};
    kill 'CONT', $pid;
}


# the worker that has accepted the connection that $sock is the client's end
# of; undef as long as none has

sub worker_of {
    my ($self, $sock, @workers) = @_;

    @workers = $self->workers(all => 1) if !@workers;

    my $port = $sock->sockport;
    my ($c) = grep { $_->{peer} == $port }
              TSCast::Net::connections($sock->peerport);

    return if !$c;

    for my $pid (@workers) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $to = readlink $fd;

            return $pid if defined $to && $to eq "socket:[$c->{inode}]";
        }
    }

    return;
}


# waits until a location plays its stream

sub wait_stream {
    my ($self, $path, %opt) = @_;

    TSCast::Net::until_true($TSCast::Net::DEADLINE, sub {
        my $v = TSCast::Reader->http(port => $opt{port} // $self->{port},
                                     path => $path, method => 'HEAD');
        my $status = $v->wait_head(5) // 0;

        $v->close;

        return $status == 200;
    }) or die "$path does not play";
}


# a connection that the worker $pid has accepted.  An idle nginx often accepts
# everything on one worker, so connections are opened in bursts until that one
# has its share, and in the end the others stand still for a moment.

sub connect_to_worker {
    my ($self, $pid, %opt) = @_;

    my @workers = $self->workers;

    my $port = delete $opt{port} // $self->{port};

    for my $try (1 .. 20) {
        my @others = $try > 10
                     ? grep { $_ != $pid && !$self->{stopped}{$_} } @workers
                     : ();

        $self->stop_worker($_) for @others;

        my @socks = map { TSCast::Net::dial($port, %opt) } 1 .. 8;
        my $found;

        for my $s (@socks) {
            my $owner = TSCast::Net::until_true(2,
                            sub { $self->worker_of($s, @workers) });

            if ($owner && $owner == $pid) {
                $found = $s;
                last;
            }
        }

        $self->cont_worker($_) for @others;

        return $found if $found;
    }

    die "worker $pid accepts nothing";
}


# $n viewers on each worker of @pids; $make->($sock) makes one

sub viewers_on_all_workers {
    my ($self, $n, $make, @pids) = @_;

    @pids = $self->workers if !@pids;

    my @viewers;

    for my $pid (@pids) {
        for (1 .. $n) {
            my $v = $make->($self->connect_to_worker($pid));

            $v->{worker} = $pid;
            push @viewers, $v;
        }
    }

    return @viewers;
}


sub error_log {
    my ($self) = @_;

    return _slurp("$self->{prefix}/logs/error.log") // '';
}


sub access_log {
    my ($self) = @_;

    return $self->log_text('access');
}


# another log in the same folder

sub log_text {
    my ($self, $which) = @_;

    return _slurp("$self->{prefix}/logs/$which.log") // '';
}


# waits for a line; false when it does not come

sub wait_log {
    my ($self, $re, $seconds, $which) = @_;

    $which ||= 'error';

    return TSCast::Net::until_true($seconds // 15, sub {
        $self->log_text($which) =~ $re
    });
}


# lines of this kind may be there

sub expect_log {
    my ($self, @re) = @_;

    push @{$self->{expect}}, @re;
}


# lines that no test may leave behind

sub bad_lines {
    my ($self) = @_;

    my @bad;
    my $killed = 0;

    my $said = _slurp("$self->{prefix}/logs/stderr") // '';

    for my $line (split /\n/, $self->error_log . $said) {
        next if $line !~ /\[(alert|crit|emerg)\]|Sanitizer|runtime\ error
                          |\bAssertion\b.*failed/x;

        $killed++ if $line =~ /exited on signal 9/;

        next if grep { $line =~ $_ } @{$self->{expect}};

        push @bad, $line;
    }

    push @bad, "$killed workers killed, not " . ($self->{killed} // 0)
        if $killed != ($self->{killed} // 0);

    return @bad;
}


# ends nginx, by QUIT unless told otherwise, and tests its log.  Nothing may
# keep the workers: a test closes its viewers before.

sub stop {
    my ($self, %opt) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $name = $opt{name} // 'nginx';

    $self->cont_worker($_) for keys %{$self->{stopped}};

    kill $opt{signal} // 'QUIT', $self->{master};

    my $gone = TSCast::Net::until_true($opt{seconds} // 5,
                                       sub { $self->_master_gone });

    Test::More::ok($gone, "$name ends by itself");

    $self->destroy;

    Test::More::is(join("\n", $self->bad_lines), '',
                   "$name has a clean error log");
}


# ends nginx for certain

sub destroy {
    my ($self) = @_;

    my $pid = $self->{master} or return;

    my @workers = $self->workers(all => 1);

    kill 'CONT', @workers if @workers;
    kill 'TERM', $pid if !$self->_master_gone;

    if (!TSCast::Net::until_true(3, sub { $self->_master_gone })) {
        kill 'KILL', $pid, @workers;
        waitpid $pid, 0;
        $self->{gone} = 1;
    }

    delete $RUNNING{$pid};
    delete $self->{master};
}


# kill -9 of the master and all of its workers; it may be started again

sub kill_node {
    my ($self) = @_;

    my @all = ($self->master, $self->workers(all => 1));

    kill 'KILL', @all;

    TSCast::Net::until_true(5, sub { !grep { -e "/proc/$_/fd/0" } @all })
        or die 'a node does not die';

    $self->destroy;
    delete $self->{gone};

    # its UNIX sockets stay in the way
    unlink $self->{port} if $self->{netns};
}


sub _master_gone {
    my ($self) = @_;

    return $self->{gone} ||= waitpid($self->{master}, POSIX::WNOHANG()) != 0;
}


sub _why {
    my ($self, $what) = @_;

    my $log = $self->error_log;

    $log = substr $log, -2000 if length $log > 2000;

    return "$what\n" . (_slurp("$self->{prefix}/logs/stderr") // '') . $log
           . "\n";
}


sub _children {
    my ($parent) = @_;

    my $list = _slurp("/proc/$parent/task/$parent/children");

    return split ' ', $list if defined $list;

    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $state, $ppid)
            = (_slurp($stat) // '') =~ /\A(\d+) \(.*\) (\S) (\d+)/s or next;

        push @pids, $pid if $ppid == $parent && $state ne 'Z';
    }

    return @pids;
}


sub _slurp {
    my ($path) = @_;

    open my $in, '<', $path or return;
    local $/;

    return scalar <$in>;
}


sub _capture {
    my (@cmd) = @_;

    my $pid = open my $out, '-|';

    defined $pid or die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out>;

    close $out;

    return $text // '';
}


$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

END {
    local ($?, $!);

    for my $pid (keys %RUNNING) {
        my ($owner, $self) = @{$RUNNING{$pid}};

        $self->destroy if $owner == $$;
    }
}


1;
