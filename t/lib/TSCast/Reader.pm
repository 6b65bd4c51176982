# Copyright (C) the tscast authors

package TSCast::Reader;

# A viewer over HTTP, WebSocket or TCP that never blocks; many are read at once.
#
#     my $v = TSCast::Reader->http(port => $port, path => '/live/cam.ts');
#     my $w = TSCast::Reader->ws(port => $port, path => '/live/cam.ts');
#     my $t = TSCast::Reader->raw(port => $port);
#
#     TSCast::Reader::pump(5, sub { $v->{bytes} > 1e6 }, $v, $w) or die;
#     $v->wait_end(5);
#
# Options:
#
#     port, path, sock, deadline   as a publisher's
#     headers    [ 'Name: value', ... ]
#     method     GET; version 1.1 (HTTP only)
#     protocol   Sec-WebSocket-Protocol (WebSocket only)
#     key        Sec-WebSocket-Key
#     extra      bytes sent in one go with the request
#     rcvbuf     size of the socket's receive buffer
#     keep       1: the body is kept in {body}; 0: it goes to {check} only
#     pong       1: pings are answered
#     answer     1: a close is answered
#     slow       bytes read at a time at most
#     flv        1: what comes is FLV, {check} a TSCast::Tags
#     uncounted  1: whose metadata does not tell its members
#
# What it has:
#
#     {status} {head} {h}   status, the head's text, its headers by lower name
#     {body} {bytes}        what came, without chunks and frames
#     {trailer}             what came behind the last chunk
#     {check}               a TSCast::Check that has seen it all
#     {end}                 undef while it lasts; then "complete" (the last
#                           chunk, or a close frame, or all of the length),
#                           "eof" or "reset"
#     {close} {reason}      of the close frame (close 0: it had no code)
#     {pings} {pongs}       payloads of each
#     {largest}             the largest message
#     {faults}              what broke a rule

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Poll qw(POLLIN);
use Time::HiRes qw(time);

use TSCast::Check;
use TSCast::Tags;
use TSCast::Net;
use TSCast::WebSocket;


sub http {
    my ($class, %opt) = @_;

    my $self = _new($class, %opt);

    my @head = ("$self->{method} $self->{path} HTTP/$self->{version}",
                'Host: localhost', @{$self->{headers}});

    return $self->_start(join "\r\n", @head, '', '');
}


sub ws {
    my ($class, %opt) = @_;

    my $self = _new($class, %opt);

    (my $request, $self->{key}) = TSCast::WebSocket::request($self->{path},
                                                             %opt);
    $self->{ws} = TSCast::WebSocket->parser;
    $self->{faults} = $self->{ws}{faults};

    return $self->_start($request);
}


# no protocol: all that comes is the stream

sub raw {
    my ($class, %opt) = @_;

    my $self = _new($class, %opt);

    $self->{status} = 0;
    $self->{mode} = 'close';

    return $self->_start('');
}


sub _new {
    my ($class, %opt) = @_;

    my $self = bless {
        method => 'GET', version => '1.1', headers => [], keep => 1, pong => 1,
        answer => 1, extra => '', slow => 262_144,
        deadline => $TSCast::Net::DEADLINE,
        %opt,
        buf => '', body => '', bytes => 0, pings => [], pongs => [],
        faults => [], messages => 0, largest => 0,
    }, $class;

    $self->{check} = $self->{flv}
                     ? TSCast::Tags->new(uncounted => $self->{uncounted})
                     : TSCast::Check->new;

    $self->{sock} ||= TSCast::Net::dial($self->{port},
                                        rcvbuf => $self->{rcvbuf});
    $self->{fd} = fileno $self->{sock};

    return $self;
}


sub _start {
    my ($self, $request) = @_;

    $self->{gone} = 1
        if !TSCast::Net::put($self->{sock}, $request . $self->{extra},
                             $self->{deadline});

    return $self;
}


# begins the closing handshake

sub say_close {
    my ($self, $code, $reason) = @_;

    $self->{said_close} = 1;

    return $self->put(TSCast::WebSocket::close_frame($code, $reason));
}


# reads all of @readers until $until->() is true or $seconds are over; a
# TSCast::Peer is one of them, together with its connections

sub pump {
    my ($seconds, $until, @readers) = @_;

    my $end = time + $seconds;

    for ( ;; ) {
        my $rc = $until->();
        return $rc if $rc;

        my $left = $end - time;
        return $rc if $left <= 0;

        my @live = grep { !$_->{end} && !$_->{paused} }
                   map { ($_, @{$_->{accepted} // []}) } @readers;

        # nothing to wait on: somebody else may make it true

        if (!@live) {
            select undef, undef, undef, 0.01;
            next;
        }

        my $poll = IO::Poll->new;

        $poll->mask($_->{sock}, POLLIN) for @live;

        next if $poll->poll($left < 0.05 ? $left : 0.05) <= 0;

        for my $r (@live) {
            $r->read_some if $poll->events($r->{sock});
        }
    }
}


sub wait_head {
    my ($self, $seconds) = @_;

    pump($seconds // $self->{deadline},
         sub { defined $self->{status} || $self->{end} }, $self);

    return $self->{status};
}


sub wait_bytes {
    my ($self, $bytes, $seconds) = @_;

    return pump($seconds // $self->{deadline},
                sub { $self->{bytes} >= $bytes }, $self);
}


sub wait_end {
    my ($self, $seconds) = @_;

    pump($seconds // $self->{deadline}, sub { $self->{end} }, $self);

    return $self->{end};
}


# sends whatever: a WebSocket client's frames, in any split

sub put {
    my ($self, @pieces) = @_;

    my $ok = 1;

    $ok &&= TSCast::Net::put($self->{sock}, $_, $self->{deadline})
        for @pieces;

    return $ok;
}


sub close {
    my ($self) = @_;

    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->{end} ||= 'closed';
}


sub abort {
    my ($self) = @_;

    TSCast::Net::reset_close(delete $self->{sock}) if $self->{sock};
    $self->{end} ||= 'closed';
}


sub read_some {
    my ($self) = @_;

    $self->{sock}->blocking(0);

    my $n = sysread $self->{sock}, my $bytes, $self->{slow};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;

        # after the server's close frame it does not matter how it hangs up

        $self->{end} ||= defined $self->{close} ? 'complete' : 'reset';
        return;
    }

    if ($n == 0) {
        $self->_at_eof;
        return;
    }

    $self->{raw} += $n;
    $self->{buf} .= $bytes;

    return if !defined $self->{status} && !$self->_head;

    $self->_body;
}


sub _head {
    my ($self) = @_;

    my $end = index $self->{buf}, "\r\n\r\n";

    return 0 if $end < 0;

    my $head = substr $self->{buf}, 0, $end + 4, '';

    $self->{head} = $head;

    ($self->{status}) = $head =~ m{\AHTTP/1\.[01] (\d{3}) } or do {
        push @{$self->{faults}}, 'no status line';
        $self->{status} = 0;
    };

    while ($head =~ /^([^\s:]+):[ \t]*([^\r\n]*?)[ \t]*\r$/mg) {
        my ($name, $value) = (lc $1, $2);

        $self->{h}{$name} = exists $self->{h}{$name}
                            ? "$self->{h}{$name}, $value" : $value;
    }

    if ($self->{ws} && $self->{status} == 101) {
        my $accept = $self->{h}{'sec-websocket-accept'} // '';

        push @{$self->{faults}}, 'wrong accept key'
            if $accept ne TSCast::WebSocket::accept_of($self->{key});

        $self->{mode} = 'ws';

    } elsif ($self->{method} eq 'HEAD' || $self->{status} =~ /^(204|304)$/) {
        $self->{mode} = 'length';
        $self->{left} = 0;

    } elsif (($self->{h}{'transfer-encoding'} // '') eq 'chunked') {
        $self->{mode} = 'chunked';

    } elsif (defined $self->{h}{'content-length'}) {
        $self->{mode} = 'length';
        $self->{left} = $self->{h}{'content-length'};

    } else {
        $self->{mode} = 'close';
    }

    return 1;
}


sub _body {
    my ($self) = @_;

    my $mode = $self->{mode};

    return $self->_ws if $mode eq 'ws';
    return $self->_chunks if $mode eq 'chunked';

    if ($mode eq 'length') {
        $self->_take(substr $self->{buf}, 0, $self->{left} - $self->{bytes},
                            '');
        $self->{end} ||= 'complete' if $self->{bytes} >= $self->{left};
        return;
    }

    $self->_take($self->{buf});
    $self->{buf} = '';
}


sub _chunks {
    my ($self) = @_;

    for ( ;; ) {
        if (!$self->{chunk}) {
            $self->{buf} =~ s/\A([0-9a-fA-F]+)(?:;[^\r\n]*)?\r\n// or last;
            $self->{chunk} = hex $1;

            if ($self->{chunk} == 0) {
                $self->{last_chunk} = 1;
            }

            $self->{chunks}++;
        }

        if ($self->{last_chunk}) {
            $self->{buf} =~ s/\A((?:[^\r\n]+\r\n)*)\r\n// or last;
            $self->{trailer} = $1;
            $self->{end} ||= 'complete';
            return;
        }

        # whole chunks only: small enough, and simple

        last if length $self->{buf} < $self->{chunk} + 2;

        $self->_take(substr $self->{buf}, 0, $self->{chunk}, '');
        $self->{largest} = $self->{chunk} if $self->{chunk} > $self->{largest};
        $self->{chunk} = 0;

        push @{$self->{faults}}, 'chunk without an end'
            if substr($self->{buf}, 0, 2, '') ne "\r\n";
    }

    push @{$self->{faults}}, 'no chunk size'
        if !$self->{chunk} && !$self->{last_chunk}
           && $self->{buf} !~ /\A[0-9a-fA-F]*\r?\z/ && @{$self->{faults}} < 10;
}


sub _ws {
    my ($self) = @_;

    for my $event ($self->{ws}->feed($self->{buf})) {
        my ($opcode, $payload) = @$event;

        if ($opcode == TSCast::WebSocket::BINARY) {
            $self->{messages}++;
            $self->{largest} = length $payload
                if length $payload > $self->{largest};

            push @{$self->{faults}}, 'message is not of whole packets'
                if !$self->{flv} && length($payload) % 188
                   && @{$self->{faults}} < 10;

            $self->_take($payload);

        } elsif ($opcode == TSCast::WebSocket::PING) {
            push @{$self->{pings}}, $payload;
            $self->put(TSCast::WebSocket::frame(TSCast::WebSocket::PONG,
                                                $payload)) if $self->{pong};

        } elsif ($opcode == TSCast::WebSocket::PONG) {
            push @{$self->{pongs}}, $payload;

        } elsif ($opcode == TSCast::WebSocket::CLOSE) {
            $self->{close} = length $payload >= 2 ? unpack('n', $payload) : 0;
            $self->{reason} = length $payload > 2 ? substr $payload, 2 : '';
            push @{$self->{faults}}, 'close of one byte'
                if length $payload == 1;

            # answered once, as the protocol wants it from both sides

            $self->put(TSCast::WebSocket::close_frame($self->{close} || undef))
                if !$self->{said_close}++ && $self->{answer};

        } else {
            push @{$self->{faults}}, "opcode $opcode"
                if @{$self->{faults}} < 10;
        }
    }

    $self->{buf} = '';
}


sub _take {
    my ($self, $bytes) = @_;

    $self->{bytes} += length $bytes;
    $self->{body} .= $bytes if $self->{keep};
    $self->{check}->feed($bytes);
    $self->{on_bytes}->($self) if $self->{on_bytes};
}


sub _at_eof {
    my ($self) = @_;

    my $mode = $self->{mode} // '';

    $self->{end} ||= $mode eq 'ws' && defined $self->{close} ? 'complete'
                     : 'eof';

    push @{$self->{faults}}, 'ended within a frame'
        if $mode eq 'ws' && length $self->{ws}{buf};

    push @{$self->{faults}}, 'ended within a chunk'
        if $mode eq 'chunked' && !$self->{last_chunk}
           && ($self->{chunk} || length $self->{buf});
}


# everything that should be empty after a good run

sub faults {
    my ($self, %may) = @_;

    my $f = $self->{check}->faults(%may);

    return join ', ', @{$self->{faults}}, $f ne '' ? $f : ();
}


1;
