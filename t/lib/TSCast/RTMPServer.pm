# Copyright (C) the tscast authors

package TSCast::RTMPServer;

# The far end of links over RTMP, that says exactly what it is told to.
#
#     my $far = TSCast::RTMPServer->new;               # listens on $far->port
#     my $s = $far->accept;                            # and has shaken hands
#
#     my $m = $s->command('connect');                  # waits for it
#     is($m->{args}[0]{app}, 'live');
#     $s->result($m->{number}, undef, { code => 'NetConnection...' });
#
#     $s->greet;                   # all that a publisher wants to hear
#     my $m = $s->message;         # { type, time, stream, body } or undef
#
# accept(raw => 1) leaves out the handshake.  All of it waits, for a while.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use TSCast::Net;
use TSCast::RTMP;


sub new {
    my ($class, %opt) = @_;

    my $sock = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1',
                                     LocalPort => $opt{port} // 0,
                                     ReuseAddr => 1)
        or die "listen: $!";

    return bless { listen => $sock, port => $sock->sockport }, $class;
}


sub port { return $_[0]{port} }


sub shut {
    my ($self) = @_;

    close delete $self->{listen};
}


sub accept {
    my ($self, %opt) = @_;

    IO::Select->new($self->{listen})->can_read($opt{deadline}
                                               // $TSCast::Net::DEADLINE)
        or return;

    my $sock = $self->{listen}->accept or return;

    setsockopt $sock, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), $opt{rcvbuf}
        if $opt{rcvbuf};

    my $session = bless { sock => $sock, in => '', chunk => 128, last => {} },
                        'TSCast::RTMPServer::Session';

    return $session if $opt{raw};
    return $session->handshake ? $session : undef;
}


package TSCast::RTMPServer::Session;

our @ISA = 'TSCast::RTMP';


# the simple one: 5.2 of the specification of RTMP

sub handshake {
    my ($self) = @_;

    $self->_fill(1537) or return;

    my $c1 = substr $self->{in}, 1, 1536;

    TSCast::Net::put($self->{sock}, "\x03" . pack('N N a1528', 0, 0, 'far')
                                    . $c1);

    $self->_fill(1537 + 1536) or return;

    substr $self->{in}, 0, 1537 + 1536, '';

    return 1;
}


# the next message, whole; 5.3.1

sub message {
    my ($self) = @_;

    for ( ;; ) {
        my $m = $self->_chunk or return;

        next if length $m->{body} < $m->{len};

        delete $self->{partial}{$m->{csid}};

        if ($m->{type} == 1) {
            $self->{chunk} = unpack 'N', $m->{body};
            next;
        }

        return $m;
    }
}


sub command {
    my ($self, $name) = @_;

    for ( ;; ) {
        my $m = $self->message or return;

        next if $m->{type} != 20;

        my ($said, $number, @args) = amf($m->{body});

        return { name => $said, number => $number, args => \@args,
                 stream => $m->{stream} } if $said eq $name;
    }
}


sub result {
    my ($self, $number, @args) = @_;

    return $self->say('_result', $number, @args);
}


# a command of any kind: undef, numbers, strings and hashes

sub say {
    my ($self, $name, $number, @args) = @_;

    return $self->_command($name, $number, join '', map { value($_) } @args);
}


sub status {
    my ($self, $level, $code, $text) = @_;

    return $self->say('onStatus', 0, undef, { level => $level, code => $code,
                                              description => $text // '' });
}


# up to the first media: the answers of a server that is content

sub greet {
    my ($self, $until) = @_;

    my %said;

    for my $name ('connect', 'createStream', 'publish') {
        return \%said if $name eq ($until // '');

        my $m = $self->command($name) or return;

        $said{$name} = $m;

        if ($name eq 'publish') {
            $self->status('status', 'NetStream.Publish.Start');
            next;
        }

        $self->result($m->{number}, undef, $name eq 'connect'
            ? { level => 'status', code => 'NetConnection.Connect.Success' }
            : 7);
    }

    return \%said;
}


sub _chunk {
    my ($self) = @_;

    my ($first) = unpack 'C', $self->_take(1) // return;
    my ($format, $csid) = ($first >> 6, $first & 63);

    my $h = { %{$self->{last}{$csid} // {}} };
    my $head = $self->_take((11, 7, 3, 0)[$format]) // return;

    if ($format < 3) {
        my ($t1, $t2) = unpack 'C n', $head;

        $h->{delta} = $t1 << 16 | $t2;
    }

    if ($format < 2) {
        my ($l1, $l2, $type) = unpack 'x3 C n C', $head;

        @$h{qw(len type)} = ($l1 << 16 | $l2, $type);
    }

    $h->{stream} = unpack 'x7 V', $head if $format == 0;

    my $time = $h->{delta};

    $time = unpack 'N', $self->_take(4) // return if $time == 0xffffff;

    my $m = $self->{partial}{$csid};

    if (!$m) {
        $h->{time} = $format ? ($h->{time} // 0) + $time : $time;

        $m = $self->{partial}{$csid} = { %$h, csid => $csid, body => '' };
        $self->{last}{$csid} = $h;
    }

    my $left = $m->{len} - length $m->{body};
    my $bytes = $self->_take($left < $self->{chunk} ? $left : $self->{chunk});

    return if !defined $bytes;

    $m->{body} .= $bytes;

    return $m;
}


sub _take {
    my ($self, $n) = @_;

    return '' if $n == 0;

    $self->_fill($n) or return;

    return substr $self->{in}, 0, $n, '';
}


# AMF0, as far as commands need it

sub amf {
    my ($bytes) = @_;

    my @values;

    while (length $bytes) {
        push @values, _value(\$bytes);
    }

    return @values;
}


sub _value {
    my ($in) = @_;

    my $type = unpack 'C', substr $$in, 0, 1, '';

    return unpack 'd>', substr $$in, 0, 8, '' if $type == 0;
    return unpack 'C', substr $$in, 0, 1, '' if $type == 1;
    return _text($in) if $type == 2;
    return undef if $type == 5 || $type == 6;

    die "AMF0 type $type" if $type != 3;

    my %object;

    while ((my $key = _text($in)) ne '') {
        $object{$key} = _value($in);
    }

    substr $$in, 0, 1, '';

    return \%object;
}


sub _text {
    my ($in) = @_;

    my $len = unpack 'n', substr $$in, 0, 2, '';

    return substr $$in, 0, $len, '';
}


sub value {
    my ($value) = @_;

    return TSCast::RTMP::_null() if !defined $value;
    return TSCast::RTMP::_object(%$value) if ref $value;
    return TSCast::RTMP::_number($value) if $value =~ /^\d+$/;

    return TSCast::RTMP::_string($value);
}


1;
