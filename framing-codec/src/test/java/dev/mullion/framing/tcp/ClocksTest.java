package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.net.Tls;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What each clock of a connection measures, with each side slow in each way. Time is the test's
 * own, and so is the kernel: it takes as many bytes as it is told to.
 */
class ClocksTest {
  private static final int IDLE = 20;
  private static final int FRAME = 12;
  private static final int STALL = 28;
  private static final int NEVER = 0;
  private static final long SECOND = 1_000_000_000;

  /** How late an end may be noticed. */
  private static final int LATE = 2;

  private static final int HIGH = 1000;

  /** What happens in each second, and which clock ends the connection then. */
  enum Scenario {
    PEER_SENDS_NOTHING("connectionsIdle", IDLE) {},

    PEER_SENDS_FRAMES("none", NEVER) {
      @Override
      void second(Side side, int second) throws IOException {
        if (second % (IDLE - LATE) == 0) {
          side.comes(0, 0, 0, 1, 7);
          side.take();
        }
      }
    },

    PEER_DRIPS_A_FRAME("framesTimedOut", FRAME) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 1, 0, 7);
        side.take();
      }

      @Override
      void second(Side side, int second) throws IOException {
        side.comes(second);
        side.take();
      }
    },

    PEER_STOPS_INSIDE_A_FRAME("framesTimedOut", FRAME) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 1, 0, 7);
        side.take();
      }
    },

    PEER_DRIPS_FRAMES("none", NEVER) {
      @Override
      void second(Side side, int second) throws IOException {
        side.comes(new int[] {0, 0, 0, 1, 7}[second % 5]);
        side.take();
      }
    },

    /** Of a record of TLS, for example. */
    PEER_DRIPS_WHAT_MAKES_NO_BYTES_YET("none", NEVER) {
      @Override
      void second(Side side, int second) {
        side.channel.pipeline().fireChannelReadComplete();
      }
    },

    WE_ONLY_SEND("none", NEVER) {
      @Override
      void second(Side side, int second) throws IOException {
        side.kernel.room = 100;
        side.send(10);
      }
    },

    /** What waits is as much at each look. */
    WE_ONLY_SEND_AS_MUCH_AS_GOES("none", NEVER) {
      @Override
      void begin(Side side) throws IOException {
        side.send(100);
      }

      @Override
      void second(Side side, int second) throws IOException {
        side.send(100);
        side.kernel.takes(104);
      }
    },

    PEER_DRIPS_IN_WHAT_WE_SEND("none", NEVER) {
      @Override
      void begin(Side side) throws IOException {
        side.send(100_000);
      }

      @Override
      void second(Side side, int second) {
        side.kernel.takes(1);
      }
    },

    PEER_TAKES_NOTHING("connectionsIdle", IDLE) {
      @Override
      void begin(Side side) throws IOException {
        side.send(100);
      }
    },

    /** So its bytes are not read either, with half a frame before them. */
    PEER_TAKES_NOTHING_AND_IS_NOT_READ_FROM("connectionsIdle", IDLE) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 1, 0, 7);
        side.take();
        side.send(100_000);
        side.comes(1);
        side.take();
        assertThat(side.link.reading.isPaused()).isTrue();
      }
    },

    /** A handler that waits for room takes no frames either. */
    PEER_TAKES_NOTHING_AND_SENDS_FRAMES("connectionsIdle", IDLE) {
      @Override
      void begin(Side side) throws IOException {
        side.send(100_000);
        side.comes(new int[HIGH + 1000]);
      }
    },

    MEMORY_IS_SHORT("connectionsStalled", STALL) {
      @Override
      void begin(Side side) {
        side.link.reading.pause(Reading.MEMORY);
      }
    },

    MEMORY_IS_SHORT_INSIDE_A_FRAME("connectionsStalled", STALL) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 1, 0, 7);
        side.take();
        side.link.reading.pause(Reading.MEMORY);
      }
    },

    MEMORY_IS_SHORT_FOR_A_WHILE("connectionsIdle", STALL - LATE + IDLE) {
      @Override
      void begin(Side side) {
        side.link.reading.pause(Reading.MEMORY);
      }

      @Override
      void second(Side side, int second) {
        if (second == STALL - LATE) {
          side.link.reading.resume(Reading.MEMORY);
        }
      }
    },

    PEER_HAS_ENDED_AND_WE_SEND("none", NEVER) {
      @Override
      void begin(Side side) {
        side.link.ending.peerEnds();
      }

      @Override
      void second(Side side, int second) throws IOException {
        side.kernel.room = 100;
        side.send(10);
      }
    },

    PEER_HAS_ENDED_AND_WE_SEND_NOTHING("connectionsIdle", IDLE) {
      @Override
      void begin(Side side) {
        side.link.ending.peerEnds();
      }
    },

    HANDLER_TAKES_NOTHING("connectionsStalled", STALL) {
      @Override
      void begin(Side side) {
        side.comes(0, 0, 0, 1, 7);
      }
    },

    HANDLER_TAKES_NOTHING_OF_WHAT_GOES_ON_COMING("connectionsStalled", STALL) {
      @Override
      void second(Side side, int second) {
        side.comes(0, 0, 0, 1, 7);
      }
    },

    HANDLER_TAKES_NOTHING_AND_IS_NOT_READ_FOR("connectionsStalled", STALL) {
      @Override
      void begin(Side side) {
        side.comes(new int[HIGH + 1]);
      }
    },

    HANDLER_IS_SLOW("none", NEVER) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(new int[4 * HIGH]);
      }

      @Override
      void second(Side side, int second) throws IOException {
        if (second % (STALL - LATE) == 0) {
          side.takeOne();
        }
      }
    },

    /** A peer may say things that nobody asks for. */
    HANDLER_ONLY_SENDS("none", NEVER) {
      @Override
      void begin(Side side) {
        side.comes(0, 0, 0, 1, 7);
      }

      @Override
      void second(Side side, int second) throws IOException {
        side.kernel.room = 100;
        side.send(10);
      }
    },

    /** It has looked while half of the frame was there. */
    HANDLER_LEAVES_A_COMPLETE_FRAME("connectionsStalled", STALL) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 0, 2, 7);
        side.take();
        side.comes(8);
      }
    },

    HANDLER_TAKES_A_COMPLETE_FRAME_LATE("none", NEVER) {
      @Override
      void second(Side side, int second) throws IOException {
        switch (second % (STALL - LATE)) {
          case 0 -> side.comes(0, 0, 0, 2, 7);
          case 1 -> side.take();
          case 2 -> side.comes(8);
          case STALL - LATE - 1 -> side.take();
          default -> {}
        }
      }
    },

    HANDLER_TAKES_ONE_OF_TWO("connectionsStalled", STALL) {
      @Override
      void begin(Side side) throws IOException {
        side.comes(0, 0, 0, 1, 7, 0, 0, 0, 1, 8);
        side.takeOne();
      }
    };

    final String end;
    final int seconds;

    Scenario(String end, int seconds) {
      this.end = end;
      this.seconds = seconds;
    }

    void begin(Side side) throws IOException {}

    void second(Side side, int second) throws IOException {}
  }

  /** Takes so many bytes. */
  private static final class Kernel extends EmbeddedChannel {
    private long room;

    private Kernel(ChannelHandler... handlers) {
      super(handlers);
    }

    void takes(long bytes) {
      room = bytes;
      flush();
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer in) {
      while (in.current() instanceof ByteBuf next && (room > 0 || !next.isReadable())) {
        long taken = Math.min(room, next.readableBytes());
        room -= taken;
        if (next.isReadable()) {
          in.removeBytes(taken);
        } else {
          in.remove();
        }
      }
    }
  }

  /** Takes all, and leaves the connection open when its peer has ended. */
  private static final class Patient implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch frames) {}

    @Override
    public void inputEnded(FramedConnection connection) {}
  }

  /** This side of a connection, whose handler does what the scenario says. */
  private static final class Side {
    final TcpCounters totals;
    final Kernel channel;
    final Kernel kernel;
    final Link link;
    final @Nullable Inbox inbox;
    private long now = System.nanoTime();

    Side(boolean batch) {
      ConnectionSettings settings = FramedServer.builder()
          .idleTimeout(Duration.ofSeconds(IDLE))
          .frameTimeout(Duration.ofSeconds(FRAME))
          .stallTimeout(Duration.ofSeconds(STALL))
          .inboundHighWaterMark(HIGH)
          .outboundHighWaterMark(HIGH)
          .connectionSettings();
      totals = settings.totals();
      LoopWatch watch = new LoopWatch(ImmediateEventExecutor.INSTANCE, 0);
      if (batch) {
        channel = new Kernel();
        Handling.batches(Patient::new).addTo(channel.pipeline(), settings, watch, false);
        link = channel.pipeline().get(Link.class);
        link.open();
        inbox = null;
      } else {
        link = new QueueLink(settings, watch, false, opened -> {});
        channel = new Kernel(link);
        inbox = link.inbox("test");
      }
      kernel = channel;
    }

    void comes(int... bytes) {
      byte[] raw = new byte[bytes.length];
      for (int i = 0; i < raw.length; i++) {
        raw[i] = (byte) bytes[i];
      }
      channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(raw));
      channel.pipeline().fireChannelReadComplete();
    }

    /** Takes all frames, as a handler does that waits for more. */
    void take() throws IOException {
      while (inbox != null && inbox.poll() != null) {
        channel.runPendingTasks();
      }
    }

    void takeOne() throws IOException {
      if (inbox != null) {
        assertThat(inbox.poll()).isNotNull();
      }
    }

    void send(int length) throws IOException {
      new Sending(link).trySend(new byte[length]);
      channel.runPendingTasks();
    }

    void look(int seconds) {
      now += seconds * SECOND;
      link.look(now, Math.min(seconds, LATE) * SECOND);
      channel.runPendingTasks();
    }

    /** Returns the counters of ends that are not 0. */
    List<String> ends() {
      List<String> ends = new ArrayList<>();
      totals.asMap().forEach((name, value) -> {
        if (value > 0
            && Arrays.asList("connectionsIdle", "connectionsStalled", "framesTimedOut")
                .contains(name)) {
          ends.add(name);
        }
      });
      return ends.isEmpty() ? List.of("none") : ends;
    }
  }

  @ParameterizedTest
  @EnumSource
  void frameIsTakenByWhoeverPulls(Scenario scenario) throws Exception {
    run(scenario, new Side(false));
  }

  /** A handler on the event loop takes everything at once. */
  @ParameterizedTest
  @EnumSource(names = "HANDLER.*", mode = EnumSource.Mode.MATCH_NONE)
  void framesAreTakenByABatchHandler(Scenario scenario) throws Exception {
    run(scenario, new Side(true));
  }

  private static void run(Scenario scenario, Side side) throws IOException {
    scenario.begin(side);
    side.look(0);
    int last = 10 * STALL;
    int second = 0;
    while (side.channel.isActive() && second < last) {
      scenario.second(side, second++);
      side.look(1);
    }

    assertThat(side.ends()).containsExactly(scenario.end);
    if (scenario.seconds > 0) {
      assertThat(second).isBetween(scenario.seconds, scenario.seconds + LATE);
      assertThat(side.link.ending.cause()).hasMessageContaining("Timeout: ");
    }
    side.channel.finishAndReleaseAll();
  }

  /** Then what came in that time has not been read yet. */
  @ParameterizedTest
  @EnumSource(names = {"PEER_SENDS_NOTHING", "PEER_STOPS_INSIDE_A_FRAME", "HANDLER_TAKES_NOTHING"})
  void loopThatWasHeldUpBlamesNobody(Scenario scenario) throws Exception {
    Side side = new Side(false);
    scenario.begin(side);
    side.look(0);
    for (int i = 1; i < FRAME / LATE; i++) {
      side.look(1000);
      assertThat(side.ends()).containsExactly("none");
    }
    side.channel.finishAndReleaseAll();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      PEER_SENDS_NOTHING        | connection was idle for N ms (idleTimeout: 20000 ms, peer \
      embedded)
      PEER_STOPS_INSIDE_A_FRAME | frame is not complete after N ms (frameTimeout: 12000 ms, peer \
      embedded)
      HANDLER_TAKES_NOTHING     | connection was stalled by this side for N ms: its handler took \
      none of the 5 waiting bytes (stallTimeout: 28000 ms, peer embedded)
      MEMORY_IS_SHORT           | connection was stalled by this side for N ms: the memory \
      budget is exhausted (stallTimeout: 28000 ms, peer embedded)
      """)
  void textsSayWhoseTimeWasMeasured(Scenario scenario, String text) throws Exception {
    Side side = new Side(false);
    run(scenario, side);
    String seen = requireNonNull(requireNonNull(side.link.ending.cause()).getMessage());
    assertThat(seen.replaceFirst(" [0-9]+ ms", " N ms")).isEqualTo(text);
  }

  /** Each setting that is a time has its line in the table of the package. */
  @Test
  void everyClockIsDefined() throws IOException {
    String table =
        Files.readString(Path.of("src/main/java/dev/mullion/framing/tcp/package-info.java"));
    Stream.of(
            FramedServerBuilder.class,
            FramedClientBuilder.class,
            EchoServerBuilder.class,
            Reconnect.Builder.class,
            Tls.class)
        .flatMap(settings -> Arrays.stream(settings.getMethods()))
        .filter(
            setter -> Arrays.equals(setter.getParameterTypes(), new Class<?>[] {Duration.class}))
        .forEach(setter -> assertThat(table).containsPattern("\\b" + setter.getName() + "\\b"));
  }
}
