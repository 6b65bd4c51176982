# Copyright (C) the tscast authors

package TSCast::Publisher;

# A publisher by hand: an HTTP request with a body that goes on as long as the
# test wants.
#
#     my $p = TSCast::Publisher->new(port => $port, path => '/push/cam');
#     $p->send($bytes);
#     $p->finish;
#     is $p->status, 204;
#
# Options:
#
#     port      a port of 127.0.0.1, or the path of a UNIX socket
#     sock      a connection that is there already
#     path      of the request
#     method    POST
#     length    Content-Length; chunked without
#     headers   [ 'Name: value', ... ]
#     split     send in pieces of so many bytes, each a chunk of its own
#     deadline  seconds for anything that is waited for
#
# run_in_background() hands the publisher to a child process, which is ended
# by its pid at the latest when the test ends.

use strict;
use warnings;

use IO::Handle;
use POSIX ();
use Time::HiRes qw(sleep time);

use TSCast::Net;

my %CHILDREN;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        method => 'POST', headers => [], deadline => $TSCast::Net::DEADLINE,
        %opt, in => '', sent => 0,
    }, $class;

    $self->{sock} ||= TSCast::Net::dial($self->{port});

    my @head = ("$self->{method} $self->{path} HTTP/1.1", 'Host: localhost',
                @{$self->{headers}});

    push @head, defined $self->{length} ? "Content-Length: $self->{length}"
                                        : 'Transfer-Encoding: chunked';

    $self->{alive} = TSCast::Net::put($self->{sock},
                                      join("\r\n", @head, '', ''),
                                      $self->{deadline});

    return $self;
}


# false when nginx does not take it

sub send {
    my ($self, $bytes) = @_;

    return 1 if $bytes eq '';

    my $split = $self->{split} || length $bytes;

    for (my $at = 0; $at < length $bytes; $at += $split) {
        my $piece = substr $bytes, $at, $split;

        $piece = sprintf("%x\r\n", length $piece) . $piece . "\r\n"
            if !defined $self->{length};

        return $self->{alive} = 0
            if !TSCast::Net::put($self->{sock}, $piece, $self->{deadline});
    }

    $self->{sent} += length $bytes;

    return 1;
}


# sends a TSCast::TS in real time

sub send_paced {
    my ($self, $ts, $seconds, $speed) = @_;

    my $start = time;
    my $from = $ts->clock;
    my $to = defined $seconds ? $from + $seconds : 9e99;

    while ($ts->clock < $to - 1e-6) {
        my $late = $start + ($ts->clock - $from) / ($speed || 1) - time;

        sleep $late if $late > 0;

        my $bytes = $ts->frame;

        return 1 if !defined $bytes;
        return 0 if !$self->send($bytes);
    }

    return 1;
}


sub finish {
    my ($self) = @_;

    TSCast::Net::put($self->{sock}, "0\r\n\r\n", $self->{deadline})
        if !defined $self->{length};

    return $self;
}


# the status of the answer; 0 when the connection ended without one, undef
# when nothing came in time

sub status {
    my ($self, $deadline) = @_;

    my $end = time + ($deadline // $self->{deadline});

    for ( ;; ) {
        $self->{in} =~ s{\AHTTP/1\.1 100 [^\r]*\r\n\r\n}{};

        if ($self->{in} =~ m{\AHTTP/1\.[01] (\d+)[^\r]*\r\n(.*?)\r\n\r\n}s) {
            $self->{answer} = $2;
            return $1;
        }

        my $left = $end - time;
        my $bytes = $left > 0 ? TSCast::Net::get($self->{sock}, $left) : undef;

        return $bytes if !defined $bytes;
        return 0 if $bytes eq '';

        $self->{in} .= $bytes;
    }
}


# seconds until nginx has closed the connection fully: until a write fails

sub closed_within {
    my ($self, $deadline) = @_;

    my $start = time;

    until ($self->{gone}) {
        return if time - $start > $deadline;

        my $bytes = TSCast::Net::get($self->{sock}, 0.02);

        $self->{gone} = 1
            if defined $bytes && $bytes eq ''
               && !TSCast::Net::put($self->{sock}, "0\r\n\r\n", 0.1);
    }

    return time - $start;
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
}


sub abort {
    my ($self) = @_;

    TSCast::Net::reset_close(delete $self->{sock}) if $self->{sock};
}


# runs $code->($self) in a child process and leaves the connection to it

sub run_in_background {
    my ($self, $code) = @_;

    my $pid = background(sub { $code->($self) });

    $self->close;

    return $self->{pid} = $pid;
}


sub background {
    my ($code) = @_;

    defined(my $pid = fork) or die "fork: $!";

    if ($pid == 0) {
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';

        my $ok = eval { $code->(); 1 };

        warn $@ if !$ok;

        POSIX::_exit($ok ? 0 : 1);
    }

    $CHILDREN{$pid} = $$;

    return $pid;
}


# runs a command in the background: a handle that writes to it, and its pid

sub command {
    my ($stderr, @cmd) = @_;

    pipe my $from, my $to or die "pipe: $!";

    my $pid = background(sub {
        CORE::close($to);
        open STDIN, '<&', $from or die $!;
        open STDOUT, '>', '/dev/null' or die $!;
        open STDERR, '>', $stderr or die $!;
        exec { $cmd[0] } @cmd or die "$cmd[0]: $!";
    });

    CORE::close($from);
    binmode $to;
    $to->autoflush(1);

    return ($to, $pid);
}


# waits for a background process; its exit status, undef when it had to be
# ended

sub wait_for {
    my ($pid, $deadline) = @_;

    my $done = TSCast::Net::until_true($deadline // $TSCast::Net::DEADLINE,
        sub { waitpid($pid, POSIX::WNOHANG()) == $pid });

    my $rc = $?;

    if ($done) {
        delete $CHILDREN{$pid};
        return $rc;
    }

    end($pid);

    return;
}


sub end {
    my ($pid) = @_;

    return if !delete $CHILDREN{$pid};

    kill 'KILL', $pid;
    waitpid $pid, 0;
}


END {
    local ($?, $!);

    for my $pid (keys %CHILDREN) {
        end($pid) if $CHILDREN{$pid} == $$;
    }
}


1;
