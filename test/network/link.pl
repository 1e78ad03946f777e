#!/usr/bin/perl
# A line between two TUN devices that it makes: late, lossy, of limited rate, and cut when told so. What `tc netem` does,
# for kernels without it; Perl, since Node.js cannot ask the kernel for such a device.
#
#   link.pl DEVICE DEVICE DELAY-MS LOSS RATE-BIT/S QUEUE-BYTES SEED
#
# Says "ready" once both are there. Then it takes a word in a line, "cut" or "mend", and repeats it when that is done. It ends
# with its input.
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($one, $other, $delay, $loss, $rate, $room, $seed) = @ARGV;
srand $seed;
setpriority 0, 0, -20; # a line is no slower for what the machine is busy with
$| = 1;

sub device {
    my ($name) = @_;
    my ($make, $packets) = (0x400454ca, 0x0001 | 0x1000); # TUNSETIFF; IFF_TUN | IFF_NO_PI
    sysopen my $device, '/dev/net/tun', O_RDWR | O_NONBLOCK or die "/dev/net/tun: $!";
    ioctl $device, $make, pack 'a16 s x22', $name, $packets or die "$name: $!";
    return $device;
}

# Each way: what comes in, where it goes, when the last of it has left, and what is on its way as [when due, packet].
my ($left, $right) = (device($one), device($other));
my @ways = map { { from => $_->[0], to => $_->[1], free => 0, under_way => [] } } [$left, $right], [$right, $left];
my $is_cut = 0;
print "ready\n";

sub take {
    my ($way) = @_;
    my $now = clock_gettime(CLOCK_MONOTONIC);
    for (1 .. 64) {
        sysread $way->{from}, my $packet, 65536 or return;
        my $waiting = $way->{free} > $now ? $way->{free} - $now : 0;
        next if $is_cut || rand() < $loss || $waiting * $rate / 8 > $room;
        $way->{free} = $now + $waiting + length($packet) * 8 / $rate;
        push @{ $way->{under_way} }, [$way->{free} + $delay / 1000, $packet];
    }
}

# Hands on what is due. Gives the time until more is, or nothing.
sub deliver {
    my ($way) = @_;
    my $under_way = $way->{under_way};
    while (@$under_way) {
        my $early = $under_way->[0][0] - clock_gettime(CLOCK_MONOTONIC);
        return $early if $early > 0;
        my $packet = shift(@$under_way)->[1];
        syswrite $way->{to}, $packet unless $is_cut;
    }
    return;
}

my $all = '';
vec($all, fileno $_, 1) = 1 for $left, $right, *STDIN;
while (1) {
    my ($soonest) = sort { $a <=> $b } map { deliver($_) } @ways;
    my $found = select my $ready = $all, undef, undef, $soonest;
    next if $found < 1;
    for my $way (@ways) {
        take($way) if vec $ready, fileno $way->{from}, 1;
    }
    next unless vec $ready, fileno *STDIN, 1;
    sysread STDIN, my $said, 64 or last;
    $is_cut = $said =~ /cut/;
    print $said;
}
