# Copyright (C) the tscast authors

package TSCast::RTMP;

# An RTMP publisher that says exactly what it is told to.
#
#     my $p = TSCast::RTMP->new(port => $port, app => 'live', name => 'cam');
#
#     is($p->status, 'NetStream.Publish.Start', 'accepted');
#     $p->tags(@tags);                     # of TSCast::FLV
#     $p->send(9, $timestamp, $body);
#     $p->finish;
#
#     my $v = TSCast::RTMP->new(port => $port, app => 'live');
#     $v->play('cam');                     # of nginx-rtmp
#
# Options:
#
#     port, app    where to
#     name         of the stream, with arguments: cam?key=value
#     chunk        size of chunks (4096)
#     sock         a connection of one's own
#     proxy        bytes before anything else
#
# And what a test needs to start an nginx that has both modules:
#
#     plan skip_all => $why if $why = TSCast::RTMP::missing();
#     TSCast::Nginx->new(main => TSCast::RTMP::load() . 'rtmp { ... }', ...);

use strict;
use warnings;

use TSCast::Net;
use TSCast::Nginx;

our $START = 'NetStream.Publish.Start';
our $BAD_NAME = 'NetStream.Publish.BadName';


# the modules in the order of loading

sub modules {
    my $dir = TSCast::Nginx::modules_dir();
    my ($path) = TSCast::Nginx::built() =~ /--modules-path=(\S+)/;

    # one that was built with ours, or nginx's own

    my ($rtmp) = grep { -e } map { "$_/ngx_rtmp_module.so" } $dir, $path // ();

    return grep { defined } $rtmp, "$dir/ngx_rtmp_tscast_module.so";
}


sub missing {
    my @modules = grep { -e } modules();

    return @modules == 2 ? '' : 'no nginx-rtmp, or no module built for it';
}


# the hub has to be loaded already: it is, by TSCast::Nginx

sub load {
    return join '', map { "load_module $_;\n" } modules();
}


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        app => 'live', chunk => 4096, proxy => '',
        %opt,
        in => '', taken => 0,
    }, $class;

    $self->{sock} ||= TSCast::Net::dial($self->{port});

    $self->_handshake;

    $self->_message(2, 1, 0, 0, pack 'N', $self->{chunk});
    $self->{out_chunk} = $self->{chunk};

    $self->_command('connect', 1,
                    _object(app => $self->{app}, type => 'nonprivate',
                            tcUrl => "rtmp://127.0.0.1/$self->{app}"));
    $self->_wait(qr/NetConnection\.Connect\.\w+/);

    $self->_command('createStream', 2, _null());
    $self->publish($self->{name}) if defined $self->{name};

    return $self;
}


sub publish {
    my ($self, $name) = @_;

    $self->{taken} = length $self->{in};

    return $self->_command('publish', 3, _null() . _string($name)
                                         . _string('live'));
}


# as a player does

sub play {
    my ($self, $name) = @_;

    $self->{taken} = length $self->{in};

    return $self->_command('play', 3, _null() . _string($name)
                                      . _number(-2000));
}


# the next code of an answer to publish, "closed", or undef

sub status {
    my ($self, $deadline) = @_;

    return $self->_wait(qr/NetStream\.\w+\.\w+/, $deadline);
}


sub tags {
    my ($self, @tags) = @_;

    for my $tag (@tags) {
        $self->send(@$tag{qw(type time body)}) or return;
    }

    return 1;
}


sub send {
    my ($self, $type, $time, $body) = @_;

    # data messages have a name in front that tags have not

    $body = _string('@setDataFrame') . $body if $type == 18;

    return $self->_message($type == 8 ? 4 : 6, $type, $time & 0xffffffff, 1,
                           $body);
}


# metadata as servers send it on

sub relayed {
    my ($self, $time, $body) = @_;

    return $self->_message(6, 18, $time, 1, $body);
}


sub close_stream {
    my ($self) = @_;

    return $self->_command('deleteStream', 4, _null() . _number(1));
}


# as encoders do: ends the stream, then the connection

sub finish {
    my ($self) = @_;

    $self->close_stream;
    $self->_wait(qr/NetStream\.Unpublish\.\w+/, 2);
    $self->close;
}


sub close {
    my ($self) = @_;

    close $self->{sock} if $self->{sock};
    delete $self->{sock};
}


# the connection is closed by the server in time?

sub closed_within {
    my ($self, $seconds) = @_;

    return ($self->_wait(qr/(?!)/, $seconds) // '') eq 'closed';
}


sub _handshake {
    my ($self) = @_;

    # four zeros after the time: the simple one, without digests

    my $c1 = pack 'N N a1528', 0, 0, 'tscast' x 255;

    TSCast::Net::put($self->{sock}, "$self->{proxy}\x03$c1");

    $self->_fill(1 + 2 * 1536) or die 'no handshake';

    my $s1 = substr $self->{in}, 1, 1536;

    TSCast::Net::put($self->{sock}, $s1);
    $self->{in} = '';
}


# chunks: 5.3 of the specification of RTMP

sub _message {
    my ($self, $csid, $type, $time, $stream, $body) = @_;

    my $size = $self->{out_chunk} // 128;
    my $extended = $time >= 0xffffff ? pack 'N', $time : '';
    my $short = $extended ne '' ? 0xffffff : $time;

    my $out = pack('C C n C n C V', $csid, $short >> 16, $short & 0xffff,
                   length($body) >> 16, length($body) & 0xffff, $type, $stream)
              . $extended . substr $body, 0, $size;

    for (my $at = $size; $at < length $body; $at += $size) {
        $out .= pack('C', 0xc0 | $csid) . $extended . substr $body, $at, $size;
    }

    return $self->{sock} && TSCast::Net::put($self->{sock}, $out);
}


sub _command {
    my ($self, $name, $number, $rest) = @_;

    return $self->_message(3, 20, 0, 0, _string($name) . _number($number)
                                        . $rest);
}


# AMF0

sub _string { return pack 'C n/a*', 2, $_[0] }
sub _number { return pack 'C d>', 0, $_[0] }
sub _null { return pack 'C', 5 }


sub _object {
    my (@pairs) = @_;

    my $out = pack 'C', 3;

    while (my ($key, $value) = splice @pairs, 0, 2) {
        $out .= pack('n/a*', $key) . _string($value);
    }

    return $out . pack 'n C', 0, 9;
}


sub _wait {
    my ($self, $re, $deadline) = @_;

    my $end = Time::HiRes::time() + ($deadline // $TSCast::Net::DEADLINE);

    for ( ;; ) {
        if (substr($self->{in}, $self->{taken}) =~ /($re)/) {
            $self->{taken} += $+[0];
            return $1;
        }

        my $left = $end - Time::HiRes::time();
        my $bytes = TSCast::Net::get($self->{sock}, $left > 0 ? $left : 0);

        return undef if !defined $bytes;
        return 'closed' if $bytes eq '';

        $self->{in} .= $bytes;
    }
}


sub _fill {
    my ($self, $n) = @_;

    while (length $self->{in} < $n) {
        my $bytes = TSCast::Net::get($self->{sock});

        return 0 if !defined $bytes || $bytes eq '';

        $self->{in} .= $bytes;
    }

    return 1;
}


1;
