# Part of scripts/kubernetes: certificates, the control plane and the registry.

# Who is who: an authority of its own, and a certificate for each part and each user.
make_certificates() {
    local node
    mkdir -p "$state/run/certificates"
    (
        cd "$state/run/certificates"
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 \
            -subj /CN=nyala-kubernetes 2>/dev/null
        openssl genrsa -out accounts.key 2048 2>/dev/null
        openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
        certificate apiserver /CN=kube-apiserver \
            "DNS:kubernetes.default.svc,IP:10.96.0.1,IP:$master,IP:127.0.0.1"
        certificate kubelet-client /O=system:masters/CN=apiserver-kubelet-client
        certificate admin /O=system:masters/CN=admin
        certificate developer /O=developers/CN=ada
        certificate controllers /CN=system:kube-controller-manager
        certificate scheduler /CN=system:kube-scheduler
        certificate proxy /CN=system:kube-proxy
        for node in 1 2 3; do
            certificate "node$node" "/O=system:nodes/CN=system:node:node$node" \
                "DNS:node$node,IP:10.78.0.1$node"
        done
    )
    for user in controllers scheduler proxy node1 node2 node3; do
        context "$state/run/$user.conf" "$user" "$user"
    done
    context "$state/run/kubeconfig" developer developer
    # The last one is the one in use.
    context "$state/run/kubeconfig" admin admin
}

# certificate NAME SUBJECT [NAMES]
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
        -extfile <(echo "subjectAltName=${3:-DNS:localhost}") -out "$1.crt" 2>/dev/null
}

# context FILE NAME USER: adds to a kubeconfig how that user reaches the cluster.
context() {
    local file=$1 name=$2 certificates=$state/run/certificates
    local config="$state/bin/kubectl config --kubeconfig=$file"
    $config set-cluster nyala --server="https://$master:6443" --embed-certs=true \
        --certificate-authority="$certificates/ca.crt" >/dev/null
    $config set-credentials "$3" --client-certificate="$certificates/$3.crt" \
        --client-key="$certificates/$3.key" --embed-certs=true >/dev/null
    $config set-context "$name" --cluster=nyala --user="$3" >/dev/null
    $config use-context "$name" >/dev/null
}

start_registry() {
    mkdir -p "$state/run/registry"
    cat >"$state/run/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $state/run/registry}, delete: {enabled: true}}
http: {addr: "$master:5000"}
YAML
    background registry nsenter --net="$state/run/net/control" -- \
        docker-registry serve "$state/run/registry.yml"
    wait_for "the registry" at site curl --silent --fail "http://$master:5000/v2/"
}

# The image of the process that holds the namespaces of a pod, and a base for those of sites.
send_images() {
    local folder=$state/run/images
    mkdir -p "$folder/content"
    cp "$state/bin/pause" "$folder/content/"
    python3 scripts/kubernetes.d/layout.py "$folder/content" "$folder/pause" /pause
    send "$folder/pause" pause:1
    python3 scripts/kubernetes.d/layout.py "$state/debian.tar" "$folder/debian" python3
    send "$folder/debian" debian:12
    rm -rf "$folder"
}

# send LAYOUT NAME: copies an image into the registry.
send() {
    at site skopeo copy --quiet --insecure-policy --dest-tls-verify=false \
        "oci:$1" "docker://$master:5000/$2"
}

start_etcd() {
    background etcd nsenter --net="$state/run/net/control" -- \
        "$state/bin/etcd" --data-dir "$state/run/etcd" \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
    local certificates=$state/run/certificates
    background apiserver nsenter --net="$state/run/net/control" -- \
        "$state/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
        --service-cluster-ip-range=10.96.0.0/16 --advertise-address=$master \
        --bind-address=$master --client-ca-file="$certificates/ca.crt" \
        --tls-cert-file="$certificates/apiserver.crt" \
        --tls-private-key-file="$certificates/apiserver.key" \
        --service-account-key-file="$certificates/accounts.pub" \
        --service-account-signing-key-file="$certificates/accounts.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --kubelet-certificate-authority="$certificates/ca.crt" \
        --kubelet-client-certificate="$certificates/kubelet-client.crt" \
        --kubelet-client-key="$certificates/kubelet-client.key" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --kubelet-preferred-address-types=InternalIP --cert-dir="$state/run"
    wait_for "the API server" in_cluster "$state/bin/kubectl" get --raw /readyz
}

start_controllers() {
    background controllers nsenter --net="$state/run/net/control" -- \
        "$state/bin/kube-controller-manager" --kubeconfig="$state/run/controllers.conf" \
        --service-account-private-key-file="$state/run/certificates/accounts.key" \
        --root-ca-file="$state/run/certificates/ca.crt" --use-service-account-credentials \
        --cluster-cidr=10.244.0.0/16 --bind-address=127.0.0.1 --leader-elect=false \
        --cert-dir="$state/run"
}

start_scheduler() {
    background scheduler nsenter --net="$state/run/net/control" -- \
        "$state/bin/kube-scheduler" --kubeconfig="$state/run/scheduler.conf" \
        --bind-address=127.0.0.1 --leader-elect=false --cert-dir="$state/run"
}
