package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.UInt32Value;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.core.v3.AggregatedConfigSource;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.core.v3.Locality;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.listener.v3.Listener;
import io.grpc.xds.shaded.io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.grpc.xds.shaded.io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.grpc.xds.shaded.io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.grpc.xds.shaded.io.envoyproxy.envoy.service.discovery.v3.AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase;
import io.grpc.xds.shaded.io.envoyproxy.envoy.service.discovery.v3.DiscoveryRequest;
import io.grpc.xds.shaded.io.envoyproxy.envoy.service.discovery.v3.DiscoveryResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The target {@code xds:///greeter} in a JVM of its own, since one has one bootstrap only. */
@Timeout(180)
class XdsTest extends RpcTest {
  /** Calls the target, and prints the greeting, or why there is none. */
  public static final class Caller {
    private Caller() {}

    /** Takes no arguments. */
    public static void main(String[] args) {
      try (RpcChannel channel = RpcChannel.builder()
          .target("xds:///greeter")
          .defaultTimeout(Duration.ofSeconds(90))
          .build()) {
        System.out.println(GreeterClient.of(channel).sayHello("world"));
      } catch (IllegalStateException | StatusRuntimeException e) {
        System.out.println(e.getMessage());
        System.out.println(e.getCause() == null ? "" : e.getCause().getMessage());
      }
    }
  }

  private String said(Predicate<String> classPath, String... options) throws Exception {
    Process caller = ClassPath.java(classPath, Caller.class, options);
    closing(caller::destroyForcibly);
    String said = new String(caller.getInputStream().readAllBytes(), UTF_8);
    assertThat(caller.waitFor()).isZero();
    return said;
  }

  @Test
  void absentLibraryIsNamed() throws Exception {
    assertThat(said(entry -> !entry.contains("grpc-xds")))
        .startsWith("target: xds:///greeter needs io.grpc:grpc-xds on the class path\n");
  }

  @Test
  void absentBootstrapIsTheCauseThatACallSees() throws Exception {
    assertThat(said(entry -> true))
        .startsWith("UNAVAILABLE: ")
        .contains("\nCannot find bootstrap configuration\n", "GRPC_XDS_BOOTSTRAP");
  }

  /**
   * It says which server is called, and how often. The second attempt carried an empty message, and
   * its reply was taken for a good one.
   */
  @Test
  void attemptsThatTheControlPlaneAsksForCarryTheSameMessage() throws Exception {
    List<String> names = new CopyOnWriteArrayList<>();
    RpcServer greeter = start(RpcServer.builder().addService(new GreeterGrpc.GreeterImplBase() {
      @Override
      public void sayHello(HelloRequest request, StreamObserver<HelloReply> reply) {
        names.add(request.getName());
        RpcMethod.unary(reply, () -> {
          if (names.size() < 3) {
            throw Status.UNAVAILABLE.asRuntimeException();
          }
          return HelloReply.newBuilder().setMessage("to " + request.getName()).build();
        });
      }
    }));
    RpcServer control = start(RpcServer.builder().addService(new ControlPlane(greeter.port())));

    assertThat(said(entry -> true, bootstrap(control)))
        .isEqualTo("to world" + System.lineSeparator());
    assertThat(names).containsExactly("world", "world", "world");
  }

  private static String bootstrap(RpcServer control) {
    return "-Dio.grpc.xds.bootstrapConfig=" + """
        {"xds_servers": [{
           "server_uri": "127.0.0.1:%d",
           "channel_creds": [{"type": "insecure"}],
           "server_features": ["xds_v3"]
         }],
         "node": {"id": "test"}}
        """.formatted(control.port());
  }

  /** Says that the listener, the cluster and the endpoints {@code greeter} are one server. */
  private static final class ControlPlane extends AggregatedDiscoveryServiceImplBase {
    private final Map<String, Any> resources;

    ControlPlane(int port) {
      resources = Map.of(
          "type.googleapis.com/envoy.config.listener.v3.Listener", Any.pack(listener()),
          "type.googleapis.com/envoy.config.cluster.v3.Cluster", Any.pack(cluster()),
          "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
              Any.pack(endpoints(port)));
    }

    private static Message listener() {
      VirtualHost.Builder all = VirtualHost.newBuilder().setName("all").addDomains("*");
      all.addRoutesBuilder().getRouteBuilder().setCluster("greeter");
      all.getRoutesBuilder(0).getMatchBuilder().setPrefix("");
      all.getRoutesBuilder(0)
          .getRouteBuilder()
          .getRetryPolicyBuilder()
          .setRetryOn("unavailable")
          .setNumRetries(UInt32Value.of(2));
      HttpConnectionManager.Builder manager = HttpConnectionManager.newBuilder();
      manager.getRouteConfigBuilder().setName("routes").addVirtualHosts(all);
      manager
          .addHttpFiltersBuilder()
          .setName("router")
          .setTypedConfig(Any.pack(Router.getDefaultInstance()));
      Listener.Builder listener = Listener.newBuilder().setName("greeter");
      listener.getApiListenerBuilder().setApiListener(Any.pack(manager.build()));
      return listener.build();
    }

    private static Message cluster() {
      Cluster.Builder cluster =
          Cluster.newBuilder().setName("greeter").setType(Cluster.DiscoveryType.EDS);
      cluster
          .getEdsClusterConfigBuilder()
          .getEdsConfigBuilder()
          .setAds(AggregatedConfigSource.getDefaultInstance());
      return cluster.build();
    }

    private static Message endpoints(int port) {
      ClusterLoadAssignment.Builder endpoints =
          ClusterLoadAssignment.newBuilder().setClusterName("greeter");
      endpoints
          .addEndpointsBuilder()
          .setLocality(Locality.newBuilder().setRegion("here"))
          .setLoadBalancingWeight(UInt32Value.of(1))
          .addLbEndpointsBuilder()
          .getEndpointBuilder()
          .getAddressBuilder()
          .getSocketAddressBuilder()
          .setAddress("127.0.0.1")
          .setPortValue(port);
      return endpoints.build();
    }

    @Override
    public StreamObserver<DiscoveryRequest> streamAggregatedResources(
        StreamObserver<DiscoveryResponse> responses) {
      return new StreamObserver<>() {
        @Override
        public void onNext(DiscoveryRequest request) {
          Any resource = resources.get(request.getTypeUrl());
          // With a nonce it says that it has taken what it was sent.
          if (resource != null && request.getResponseNonce().isEmpty()) {
            responses.onNext(DiscoveryResponse.newBuilder()
                .setTypeUrl(request.getTypeUrl())
                .setVersionInfo("1")
                .setNonce("1")
                .addResources(resource)
                .build());
          }
        }

        @Override
        public void onError(Throwable gone) {}

        @Override
        public void onCompleted() {
          responses.onCompleted();
        }
      };
    }
  }
}
