package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.BytesValue;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A server with a heap of 64 MiB sends far more than that to a client that reads slowly at first.
 * {@code -Dmullion.rpc.slowReaderMiB=1024} makes it a whole GiB; by default it is 128 MiB.
 */
@Timeout(120)
class SlowReaderTest extends RpcTest {
  private static final int MIB = 1024 * 1024;
  private static final int MESSAGE = MIB / 4;
  private static final int TOTAL = Integer.getInteger("mullion.rpc.slowReaderMiB", 128);
  private static final MethodDescriptor<BytesValue, BytesValue> STREAM =
      MethodDescriptor.<BytesValue, BytesValue>newBuilder()
          .setFullMethodName("test.Bytes/Stream")
          .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
          .setRequestMarshaller(ProtoUtils.marshaller(BytesValue.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(BytesValue.getDefaultInstance()))
          .build();

  /** The server's process; says its port, and at its end what it has used. */
  static final class Sender {
    private Sender() {}

    public static void main(String[] args) throws Exception {
      int messages = Integer.parseInt(args[0]);
      try (RpcServer server = RpcServer.builder()
          .addService(ServerServiceDefinition.builder("test.Bytes")
              .addMethod(
                  STREAM,
                  ServerCalls.asyncServerStreamingCall(
                      (BytesValue request, StreamObserver<BytesValue> observer) ->
                          RpcMethod.serverStreaming(observer, replies -> {
                            for (int i = 0; i < messages; i++) {
                              replies.write(message());
                            }
                          })))
              .build())
          .start()) {
        System.out.println(server.port());
        // Until the test ends its side.
        int end = System.in.read();
        assertThat(end).isEqualTo(-1);
        System.out.println(peakKib());
        System.out.println(server.counters().callsSucceeded());
      }
    }

    /** Each is its own memory, as a service's would be. */
    private static BytesValue message() {
      ByteString bytes = UnsafeByteOperations.unsafeWrap(new byte[MESSAGE]);
      return BytesValue.newBuilder().setValue(bytes).build();
    }

    /**
     * Returns the most memory that the process has had, all kinds together, where the system says
     * it.
     */
    private static long peakKib() throws IOException {
      Path status = Path.of("/proc/self/status");
      if (!Files.isReadable(status)) {
        return 0;
      }
      try (Stream<String> lines = Files.lines(status)) {
        return lines
            .filter(line -> line.startsWith("VmHWM:"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
            .sum();
      }
    }
  }

  @Test
  void slowReaderCostsTheServerNoMemory() throws Exception {
    int messages = TOTAL * (MIB / MESSAGE);
    Process server = new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx64m",
            // What waits for the client is in direct memory.
            "-XX:MaxDirectMemorySize=32m",
            "-Dio.netty.maxDirectMemory=" + 32 * MIB,
            "--enable-native-access=ALL-UNNAMED",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            classPath(),
            Sender.class.getName(),
            String.valueOf(messages))
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
    closing(server::destroyForcibly);
    BufferedReader says = new BufferedReader(new InputStreamReader(server.getInputStream(), UTF_8));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", Integer.parseInt(says.readLine()))
        .build());

    Iterator<BytesValue> replies = ClientCalls.blockingServerStreamingCall(
        channel, STREAM, CallOptions.DEFAULT, BytesValue.getDefaultInstance());
    int read = 0;
    while (replies.hasNext()) {
      assertThat(replies.next().getValue().size()).isEqualTo(MESSAGE);
      if (++read <= 10) {
        // The slow part: a server that did not wait would have all in memory by now.
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
      }
    }
    server.getOutputStream().close();

    assertThat(read).isEqualTo(messages);
    // The heap, Netty's direct memory, and the JVM's own.
    assertThat(Long.parseLong(says.readLine())).as("peak in KiB").isLessThan(304 * 1024);
    assertThat(says.readLine()).as("calls that succeeded").isEqualTo("1");
    assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).isZero();
  }

  /** Tests run on the module path; a process of its own takes all from the class path. */
  private static String classPath() {
    List<String> all = new ArrayList<>();
    all.add(System.getProperty("java.class.path"));
    String modules = System.getProperty("jdk.module.path");
    if (modules != null) {
      all.add(modules);
    }
    all.add(Path.of("target/test-classes").toString());
    return String.join(System.getProperty("path.separator"), all);
  }
}
