package dev.mullion.framing.benchmark;

import dev.mullion.framing.testing.comparison.LoadMeter;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.Random;

/**
 * A load generator for echo servers of frames with a length of 4 bytes, on one thread. It takes
 * {@code <port> <server's process> <warm-up> <measured time> <connections> <frames in flight>
 * <payload>}, with times in nanoseconds.
 *
 * <p>Each connection has as many frames under way as are allowed, and compares each byte that comes
 * back with what it has sent.
 */
public final class EchoLoad {
  private static final int READ = 128 * 1024;
  private static final int WRITE = 64 * 1024;
  private static final int READS = 4;
  private static final int POLL_MILLIS = 20;

  private final int inFlight;
  private final int frameLength;
  /** After so many bytes the stream begins again. */
  private final int period;
  /** Two periods, one after the other: each range of up to one period lies in one piece. */
  private final ByteBuffer stream;

  private final ByteBuffer in = ByteBuffer.allocateDirect(READ);
  private long completed;

  private EchoLoad(int inFlight, int size) {
    this.inFlight = inFlight;
    frameLength = Integer.BYTES + size;
    period = (2 + READ / frameLength) * frameLength;
    stream = ByteBuffer.allocateDirect(2 * period);
    Random random = new Random(1);
    byte[] payload = new byte[size];
    while (stream.position() < period) {
      random.nextBytes(payload);
      stream.putInt(size).put(payload);
    }
    stream.put(stream.duplicate().flip());
  }

  /** Prints what it has measured. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 7) {
      System.err.println("usage: EchoLoad PORT PROCESS WARMUP MEASURED CONNECTIONS IN_FLIGHT SIZE");
      System.exit(2);
    }
    EchoLoad load = new EchoLoad(Integer.parseInt(arguments[5]), Integer.parseInt(arguments[6]));
    LoadMeter meter = LoadMeter.of(arguments);
    load.run(meter, Integer.parseInt(arguments[0]), Integer.parseInt(arguments[4]));
    System.out.println(meter.result());
  }

  private void run(LoadMeter meter, int port, int connections) throws IOException {
    try (Selector selector = Selector.open()) {
      InetSocketAddress server = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
      for (int i = 0; i < connections; i++) {
        SocketChannel channel = SocketChannel.open(server);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.configureBlocking(false);
        SelectionKey key = channel.register(selector, SelectionKey.OP_READ);
        Connection connection = new Connection(channel, key);
        key.attach(connection);
        connection.send();
      }
      while (!meter.isOver(completed)) {
        selector.select(key -> ((Connection) key.attachment()).ready(), POLL_MILLIS);
      }
    }
  }

  private final class Connection {
    private final SocketChannel channel;
    private final SelectionKey key;
    private final ByteBuffer out = stream.duplicate();
    private final ByteBuffer expected = stream.duplicate();
    private long sent;
    private long received;

    Connection(SocketChannel channel, SelectionKey key) {
      this.channel = channel;
      this.key = key;
    }

    void ready() {
      try {
        if (key.isReadable()) {
          receive();
        }
        send();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private void receive() throws IOException {
      long before = received / frameLength;
      int length = READ;
      for (int i = 0; i < READS && length == READ; i++) {
        length = channel.read(in.clear());
        if (length < 0) {
          throw new EOFException("the server closed the connection");
        }
        compare(in.flip());
      }
      completed += received / frameLength - before;
    }

    private void compare(ByteBuffer bytes) throws IOException {
      if (received + bytes.remaining() > sent) {
        throw new IOException("more bytes came back than were sent");
      }
      int end = bytes.limit();
      while (bytes.position() < end) {
        int length = Math.min(end - bytes.position(), period);
        bytes.limit(bytes.position() + length);
        range(expected, received, length);
        int different = bytes.mismatch(expected);
        if (different >= 0) {
          throw new IOException("byte " + (received + different) + " is not what was sent");
        }
        bytes.position(bytes.limit()).limit(end);
        received += length;
      }
    }

    void send() throws IOException {
      long allowed = (received / frameLength + inFlight) * frameLength;
      while (sent < allowed) {
        int length = (int) Math.min(allowed - sent, Math.min(WRITE, period));
        int written = channel.write(range(out, sent, length));
        sent += written;
        if (written < length) {
          interest(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
          return;
        }
      }
      interest(SelectionKey.OP_READ);
    }

    private ByteBuffer range(ByteBuffer of, long from, int length) {
      int start = (int) (from % period);
      return of.clear().position(start).limit(start + length);
    }

    private void interest(int operations) {
      if (key.interestOps() != operations) {
        key.interestOps(operations);
      }
    }
  }
}
