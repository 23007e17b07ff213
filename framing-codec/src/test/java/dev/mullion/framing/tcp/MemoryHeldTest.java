package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import io.netty.buffer.PooledByteBufAllocator;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What a server really holds for many peers, by Netty's and the JVM's own numbers and not by its
 * own counter, with each way to hold something.
 */
@Timeout(120)
class MemoryHeldTest {
  private static final int MIB = 1024 * 1024;
  private static final int BUDGET = 4 * MIB;
  private static final int PEERS = 12;
  private static final int LOOPS = 2;
  private static final int KERNEL = 256 * 1024;
  private static final byte[] HALF = new byte[450_000];
  private static final byte[] FRAMES = new byte[10 * 1000];

  static {
    for (int at = 0; at < FRAMES.length; at += 1000) {
      FRAMES[at + 2] = 3;
      FRAMES[at + 3] = (byte) (1000 - 4 - 3 * 256);
    }
  }

  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(MIB / 2).build();

  /** A read, of 4 KiB when memory is short, and what an allocator rounds up. */
  private static final int EACH = 16 * 1024;

  /** A frame that is the only one to wait for its peer is taken whatever the others hold. */
  private static final int REPLY = MIB / 2;

  /** The buffers of event loops, to read into and for replies, as the allocator rounds them up. */
  private static final int EACH_LOOP = 768 * 1024;

  /** Objects of a connection besides its bytes: sockets, pipelines, engines of TLS, threads. */
  private static final int OBJECTS = 160 * 1024;

  /** A peer's own TLS socket, which is on this heap too: records in and out, and plain bytes. */
  private static final int TLS_SOCKET = 64 * 1024;

  @TempDir
  static Path directory;

  private static Certificates certificates;
  private static SSLSocketFactory sockets;

  @BeforeAll
  static void makeCertificates() throws Exception {
    certificates = Certificates.in(directory);
    sockets = certificates.sockets();
    // What the JDK keeps of TLS once and for all is no part of a connection.
    try (FramedServer server = Way.BATCH.echo().tls(certificates.server()).start();
        Socket first = connect(Fill.HALF_FRAMES_OVER_TLS, server)) {
      first.getOutputStream().write(0);
    }
  }

  /** What a peer sends, in as far as it is read. */
  enum Fill {
    HALF_FRAMES(false) {
      @Override
      void send(Socket socket) throws IOException {
        socket.getOutputStream().write(new byte[] {0, 7, -1, -1});
        socket.getOutputStream().write(HALF);
      }
    },
    /** In pieces for which a buffer of their own would be too much. */
    HALF_FRAMES_IN_PIECES(false) {
      @Override
      void send(Socket socket) throws IOException {
        socket.getOutputStream().write(new byte[] {0, 7, -1, -1});
        for (int i = 0; i < 300; i++) {
          socket.getOutputStream().write(HALF, 0, 300);
          socket.getOutputStream().flush();
        }
      }
    },
    UNREAD_REPLIES(false) {
      @Override
      void send(Socket socket) throws IOException {
        for (int i = 0; i < 1000; i++) {
          socket.getOutputStream().write(FRAMES);
        }
      }
    },
    HALF_FRAMES_OVER_TLS(true) {
      @Override
      void send(Socket socket) throws IOException {
        HALF_FRAMES.send(socket);
      }
    },
    UNREAD_REPLIES_OVER_TLS(true) {
      @Override
      void send(Socket socket) throws IOException {
        UNREAD_REPLIES.send(socket);
      }
    },
    /** Part of a record as long as Netty takes one, before there is a connection. */
    HALF_RECORDS(true) {
      @Override
      Socket socket() throws IOException {
        return new Socket();
      }

      @Override
      void send(Socket socket) throws IOException {
        socket.getOutputStream().write(new byte[] {0x16, 3, 1, -1, -1});
        socket.getOutputStream().write(HALF, 0, 65_000);
      }
    };

    final boolean tls;

    Fill(boolean tls) {
      this.tls = tls;
    }

    Socket socket() throws Exception {
      return tls ? sockets.createSocket() : new Socket();
    }

    abstract void send(Socket socket) throws IOException;
  }

  static Stream<Arguments> fillsOfEachWay() {
    return Stream.of(Fill.values())
        .flatMap(fill -> Stream.of(Way.values())
            .filter(way -> way == Way.BATCH || (way == Way.BLOCKING && !fill.tls) || isLong(fill))
            .map(way -> Arguments.of(fill, way)));
  }

  /** TLS knows of no way before there is a connection. */
  private static boolean isLong(Fill fill) {
    return Boolean.getBoolean("mullion.memory.all") && fill != Fill.HALF_RECORDS;
  }

  @ParameterizedTest
  @MethodSource("fillsOfEachWay")
  void heldMemoryStaysInsideTheBudget(Fill fill, Way way) throws Exception {
    FramedServerBuilder settings = way.echo()
        .format(FORMAT)
        .memoryBudget(BUDGET)
        .eventLoopThreads(LOOPS)
        .option(StandardSocketOptions.SO_SNDBUF, 16 * 1024)
        .option(StandardSocketOptions.SO_RCVBUF, KERNEL);
    long heapBefore = heap();
    long directBefore = direct();
    List<Socket> peers = new ArrayList<>();
    try (FramedServer server =
        (fill.tls ? settings.tls(certificates.server()) : settings).start()) {
      for (int i = 0; i < PEERS; i++) {
        peers.add(connect(fill, server));
      }
      for (Socket peer : peers) {
        Threads.run(() -> {
          try {
            fill.send(peer);
          } catch (IOException closed) {
            // At the end of the test.
          }
        });
      }
      long[] most = new long[2];
      long[] still = {-1, 0};
      Await.until("no more is held", () -> {
        long used = server.memoryUsed();
        most[0] = Math.max(most[0], direct() - directBefore);
        most[1] = Math.max(most[1], used);
        still[1] = used == still[0] && used > 0 ? still[1] + 1 : 0;
        still[0] = used;
        return still[1] == 1000;
      });
      long heap = heap() - heapBefore;

      assertThat(most[1]).as("counted").isBetween(1L, (long) BUDGET + PEERS * EACH + REPLY);
      assertThat(most[0])
          .as("direct memory")
          .isLessThanOrEqualTo(BUDGET + PEERS * EACH + REPLY + LOOPS * EACH_LOOP);
      assertThat(heap)
          .as("heap")
          .isLessThanOrEqualTo(BUDGET + PEERS * (EACH + OBJECTS + (fill.tls ? TLS_SOCKET : 0)));
      for (Socket peer : peers) {
        reset(peer);
      }
      Await.until("nothing is held", () -> server.memoryUsed() == 0);
    } finally {
      for (Socket peer : peers) {
        reset(peer);
      }
    }
  }

  private static Socket connect(Fill fill, FramedServer server) throws Exception {
    Socket peer = fill.socket();
    peer.setReceiveBufferSize(16 * 1024);
    // Or the kernel takes megabytes of each, and TLS encrypts them.
    peer.setSendBufferSize(KERNEL);
    peer.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
    if (peer instanceof SSLSocket secure) {
      secure.startHandshake();
    }
    return peer;
  }

  private static void reset(Socket peer) throws IOException {
    if (!peer.isClosed()) {
      peer.setSoLinger(true, 0);
      if (!(peer instanceof SSLSocket)) {
        peer.close();
      } else {
        Threads.run(() -> {
          try {
            peer.close();
          } catch (IOException closed) {
            // It has been reset.
          }
        });
      }
    }
  }

  private static long direct() {
    return PooledByteBufAllocator.DEFAULT.pinnedDirectMemory();
  }

  /**
   * Returns the least of several measurements: meanwhile other threads make garbage. Of the pool's
   * chunks of 4 MiB only what is in use counts, as with direct memory.
   */
  private static long heap() {
    PooledByteBufAllocator pool = PooledByteBufAllocator.DEFAULT;
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      long used = Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
      least = Math.min(least, used - pool.metric().usedHeapMemory() + pool.pinnedHeapMemory());
    }
    return least;
  }
}
