# Copyright (C) the tscast authors

use strict;
use warnings;

# The file of state=: it has the links of the run time, outlasts a restart, and
# a bad one is an error of the configuration.

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

use TSCast;

my $dir = tempdir(CLEANUP => 1);
my $file = "$dir/links.json";

chmod 0777, $dir;


sub pump { return TSCast::Reader::pump(@_) }


sub node {
    my ($control, %opt) = @_;

    return TSCast::Nginx->new(
        workers => 2, tscast => 'zone live 16m;',
        server => "location ~ ^/push/(?<stream>.+)\$ {
                       tscast_ingest live/\$stream;
                   }
                   location = /status { tscast_status; }
                   location = /control { $control }", %opt);
}


sub add {
    my ($ngx, $stream, $url, @params) = @_;

    return TSCast::Control::command($ngx, POST => { link => {
        kind => 'push', stream => $stream, url => $url, parameters => \@params,
    } });
}


sub kept {
    open my $in, '<', $file or return;
    local $/;
    return decode_json(<$in>)->{links};
}


sub links {
    my ($ngx) = @_;

    return [grep { $_->{source} eq 'control' }
            @{TSCast::Status::get($ngx)->{configured_links}}];
}


my @sinks = map { TSCast::Peer->new(keep => 1) } 1 .. 2;
my @url = map { "tcp://127.0.0.1:$_->{port}" } @sinks;
my $secret = "http://127.0.0.1:$sinks[0]{port}/push?key=k7";
my @ids;


# written after each command, whole

{
    my $ngx = node("tscast_control state=$file;")->start;

    ok(!-e $file, 'no file before there is a link');

    my $a = add($ngx, 'live/*', $url[0], 'reconnect=1s', 'timeout=5s');

    push @ids, $a->{json}{link}{id};
    is($a->{status}, 201, 'a link');
    is_deeply(kept(), [{
        id => $ids[0], kind => 'push', stream => 'live/*', url => $url[0],
        parameters => ['reconnect=1s', 'timeout=5s'],
    }], 'is in the file');
    is((stat $file)[2] & 0777, 0600, 'which is for nobody else');

    push @ids, add($ngx, 'live/b', $secret,
                   'header=Authorization: "x" y')->{json}{link}{id};
    is(scalar(@{kept()}), 2, 'so is a second one');
    is(kept()->[1]{url}, $secret, 'with what a status does not tell');
    is(kept()->[1]{parameters}[0], 'header=Authorization: "x" y',
       'and words as they are');

    # many, from both workers at a time

    my @r = map {
        TSCast::Control::ask($ngx, POST => { link => {
            kind => 'push', stream => "live/many$_", url => $url[1],
        } }, worker => ($ngx->workers)[$_ % 2])
    } 1 .. 20;

    is(join(' ', map { TSCast::Control::answer($_)->{status} } @r),
       join(' ', (201) x 20), 'twenty at a time');
    is(scalar(@{kept()}), 22, 'all of them are kept');
    is_deeply([map { $_->{id} } @{kept()}],
              [map { $_->{id} } @{links($ngx)}], 'as they are told');

    is(TSCast::Control::told($ngx, DELETE => { link => { id => $_->{id} } }),
       '204', 'removed') for grep { $_->{stream} =~ /many/ } @{kept()};
    is(scalar(@{kept()}), 2, 'and gone from the file');

    opendir my $in, $dir or die $!;
    is(join(' ', grep { !/^\./ } readdir $in), 'links.json',
       'nothing else is left beside it');

    $ngx->reload;
    is(join(' ', map { $_->{id} } @{links($ngx)}), "@ids",
       'a reload does not double them');

    $ngx->stop;
}


# another nginx goes on with it

{
    my $ngx = node("tscast_control state=$file;")->start;

    is(join(' ', map { $_->{id} } @{links($ngx)}), "@ids",
       'a restart: they are there again');

    my $in = TSCast::bytes('seconds=2 gop=60');
    my $p = TSCast::Publisher->new(port => $ngx->port, path => '/push/cam');

    $p->send($in);
    ok(pump(5, sub { length $sinks[0]->body >= length $in }, @sinks),
       'and run');
    ok($sinks[0]->body eq $in, 'byte for byte');

    my $new = add($ngx, 'live/new', $url[1])->{json}{link}{id};

    ok($new > $ids[1], 'ids are not given again');
    is(join(' ', map { $_->{id} } @{kept()}), "@ids $new", 'in the file too');

    # from another folder, which is not there: the link is, the file is not

    $p->close;
    $ngx->stop;

    my $lost = node("tscast_control state=$dir/none/links.json;")->start;
    my $a = add($lost, 'live/x', $url[1]);

    is($a->{status}, 500, 'a file that cannot be written');
    like($a->{json}{error}, qr/is added, but the state file/, 'is told');
    is(scalar(@{links($lost)}), 1, 'the link is there');

    $lost->stop;
}


# without state= they last as long as the zone

{
    my $ngx = node('tscast_control;')->start;

    is(scalar(@{links($ngx)}), 0, 'no file, no link');
    is(add($ngx, 'live/x', $url[1])->{status}, 201, 'one is added');
    $ngx->reload;
    is(scalar(@{links($ngx)}), 1, 'and kept over a reload');

    $ngx->stop;
}


# what is no such file

my $good = '{"id": 1, "kind": "push", "stream": "live/x", "url": "tcp://127.'
           . '0.0.1:1", "parameters": []}';

for my $row (
    ['', qr/is no file of links/],
    ['{', qr/is no file of links/],
    ['[]', qr/is no file of links/],
    ['{"links": {}}', qr/not an array/],
    ['{"links": [], "more": 1}', qr/more/],
    ['{"links": [7]}', qr/link 1/],
    ['{"links": [{}]}', qr/link 1/],
    ["{\"links\": [$good, {\"id\": 2}]}", qr/link 2 .*is missing/],
    ["{\"links\": [$good]}" =~ s/"id": 1/"id": 0/r, qr/link 1 .*has no id/],
    ["{\"links\": [$good]}" =~ s/live/gone/r, qr/unknown zone in "gone/],
    ["{\"links\": [$good]}" =~ s/tcp/gopher/r, qr/unknown scheme/],
    ["{\"links\": [$good]}" =~ s/127.0.0.1/nowhere.test/r, qr/no resolver/],
) {
    my ($text, $why) = @$row;

    open my $out, '>', $file or die $!;
    print $out $text;
    close $out;

    my ($rc, $said) = node("tscast_control state=$file;")->check_conf;

    isnt($rc, 0, "refused: $text");
    like($said, $why, 'with the reason');
}

for my $row (
    ["tscast_control state=$dir;", qr/failed/],
    ['tscast_control state=;', qr/invalid parameter/],
    ['tscast_control file=x;', qr/invalid parameter/],
    ['tscast_control state=a state=b;', qr/invalid number/],
    ['tscast_control; tscast_control;', qr/is duplicate/],
    ["tscast_control state=$dir/a; }
      location = /other { tscast_control state=$dir/b;", qr/another state/],
) {
    my ($conf, $why) = @$row;
    my ($rc, $said) = node($conf)->check_conf;

    isnt($rc, 0, "refused: $conf");
    like($said, $why, 'with the reason');
}

$_->close for @sinks;

done_testing;
