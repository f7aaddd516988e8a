use super::*;

fn place() -> Place {
    let [context, namespace] = ["production", "web"].map(|it| Some(it.to_owned()));
    Place { kubeconfig: None, context, namespace, server: None, name: "shop".to_owned() }
}

fn said(complaint: &str) -> String {
    explain(complaint, &place()).unwrap().to_string()
}

#[test]
fn each_complaint_says_what_to_do() {
    insta::assert_snapshot!(said("error: context \"production\" does not exist"), @"
    the kubeconfig has no context production
    found: no contexts
    1. Correct context under [kubernetes] of nyala.toml
    2. See what the owner of the site has: kubectl config get-contexts; a kubeconfig elsewhere is named by kubeconfig in nyala.toml
    ");
    let broken = "Error in configuration: unable to read certificate-authority /nowhere.pem for \
                  one due to open /nowhere.pem: no such file or directory";
    insta::assert_snapshot!(said(broken), @"
    kubectl cannot use the kubeconfig
    found: context production, namespace web
    output: Error in configuration: unable to read certificate-authority /nowhere.pem for one due to open /nowhere.pem: no such file or directory
    Correct it, and try it as the owner of the site: kubectl get namespaces
    ");
    let yaml = "error: error loading config file \"kc.yaml\": yaml: line 1: did not find x";
    assert!(said(yaml).starts_with("kubectl cannot use the kubeconfig"));
    let other = "E1127 17:33:51.925130    2976 memcache.go:265] \"Unhandled Error\" err=\"x\"\n\
                 Error from server (NotFound): the server could not find the requested resource";
    insta::assert_snapshot!(said(other), @"
    what answers is no API server of Kubernetes, or does not know these objects
    found: context production, namespace web
    output: Error from server (NotFound): the server could not find the requested resource
    Check the address of the cluster in the kubeconfig: kubectl cluster-info
    ");
    let no_namespace = "Error from server (NotFound): namespaces \"web\" not found";
    insta::assert_snapshot!(said(no_namespace), @"
    the cluster has no namespace web
    found: context production, namespace web
    1. Create it: kubectl create namespace web
    2. Or correct namespace under [kubernetes] of nyala.toml
    ");
    insta::assert_snapshot!(said(
        "Error from server (Forbidden): deployments.apps \"shop-web\" is forbidden: \
         User \"ci\" cannot patch resource \"deployments\" in API group \"apps\" in \
         the namespace \"web\""
    ), @r#"
    the cluster refuses it: the user of the kubeconfig has no right to do this
    found: context production, namespace web
    output: Error from server (Forbidden): deployments.apps "shop-web" is forbidden: User "ci" cannot patch resource "deployments" in API group "apps" in the namespace "web"
    Have it allowed; docs/kubernetes.md has a Role with what is needed
    "#);
    let unknown = "error: You must be logged in to the server (Unauthorized)";
    insta::assert_snapshot!(said(unknown), @"
    the cluster does not know the user of the kubeconfig, or no longer does
    found: context production, namespace web
    output: error: You must be logged in to the server (Unauthorized)
    Log in again as the owner of the site, and see: kubectl get namespaces
    ");
    insta::assert_snapshot!(said(
        "E0101 12:00:00.000000   12 memcache.go:265] couldn't get current server API group \
         list: Get \"https://10.0.0.1:6443/api\": dial tcp 10.0.0.1:6443: i/o timeout\n\
         Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout"
    ), @"
    the API server of the cluster does not answer
    found: context production, namespace web
    output: Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout
    1. See whether it can be reached from here: kubectl get namespaces
    2. Then deploy again: nyala redeploy
    ");
    insta::assert_snapshot!(said(
        "Unable to connect to the server: getting credentials: exec: executable \
         gke-gcloud-auth-plugin not found"
    ), @"
    kubectl gets no credentials for the cluster
    found: context production, namespace web
    output: Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found
    1. Install or repair the program that the kubeconfig names
    2. Try it as the owner of the site: kubectl get namespaces
    ");
    insta::assert_snapshot!(said(
        "Unable to connect to the server: x509: certificate signed by unknown authority"
    ), @"
    the certificate of the API server is not the one in the kubeconfig
    found: context production, namespace web
    output: Unable to connect to the server: x509: certificate signed by unknown authority
    Check that the kubeconfig is for this cluster, and get a new one
    ");
    insta::assert_snapshot!(said(
        "Error from server (Forbidden): pods \"x\" is forbidden: exceeded quota: small, \
         requested: cpu=2, used: cpu=1, limited: cpu=2"
    ), @r#"
    the namespace has no room left: its quota is used up
    output: Error from server (Forbidden): pods "x" is forbidden: exceeded quota: small, requested: cpu=2, used: cpu=1, limited: cpu=2
    1. Ask for less: resources and replicas under [kubernetes] of nyala.toml
    2. Or have the quota raised: kubectl describe resourcequota
    "#);
    insta::assert_snapshot!(said(
        "The Deployment \"shop-web\" is invalid: spec.replicas: Invalid value: -1"
    ), @r#"
    the cluster does not take these objects
    output: The Deployment "shop-web" is invalid: spec.replicas: Invalid value: -1
    1. See them: nyala kubernetes manifests
    2. Correct the patches, or [kubernetes] in nyala.toml
    "#);
    assert_eq!(explain("what?", &place()), None);
}

#[test]
fn a_conflict_names_who_and_what() {
    insta::assert_snapshot!(said(
        "error: Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: \
         .spec.replicas\nPlease review the fields above--they currently have other managers. \
         Here\nare the ways you can resolve this warning:\n* 1\n* 2\n* 3\n* 4\n\
         See https://k8s.io"
    ), @"
    somebody else manages fields of the objects
    found: kubectl-edit has set .spec.replicas
    1. If they are to be left alone, take them out with a patch, such as replicas: null
    2. Or give them to nyala: nyala kubernetes manifests | kubectl apply --server-side --field-manager=nyala --force-conflicts -l app.kubernetes.io/component!=release -f -
    ");
    insta::assert_snapshot!(said(
        "error: Apply failed with 2 conflicts: conflicts with \"argocd-controller\":\n\
         - .spec.replicas\n- .spec.template.spec.containers[name=\"web\"].image\n\
         Please review the fields above"
    ), @r#"
    somebody else manages fields of the objects
    found: argocd-controller has set .spec.replicas, .spec.template.spec.containers[name="web"].image
    1. If they are to be left alone, take them out with a patch, such as replicas: null
    2. Or give them to nyala: nyala kubernetes manifests | kubectl apply --server-side --field-manager=nyala --force-conflicts -l app.kubernetes.io/component!=release -f -
    "#);
}

#[test]
fn a_conflict_in_many_fields_is_one() {
    let fields: Vec<_> = (0..20).map(|number| format!("- .spec.f{number}\n")).collect();
    let complaint = format!(
        "error: Apply failed with 20 conflicts: conflicts with \"kubectl-edit\" using apps/v1:\n{}\
         Please review the fields above--they currently have other managers. Here\n{}",
        fields.concat(),
        "are the ways you can resolve this warning:\n".repeat(10)
    );
    assert!(said(&complaint).contains("kubectl-edit has set .spec.f0, "), "{}", said(&complaint));
}

#[test]
fn what_an_api_server_that_restarts_answers_may_pass() {
    for complaint in [
        "Error from server (ServiceUnavailable): the server is currently unable to handle it",
        "Error from server (TooManyRequests): the server has received too many requests",
        "Error from server (Timeout): Timeout: request did not complete within 34s",
        "Error from server (InternalError): an error on the server (\"<html>\\r\\n<head>\") has \
         prevented the request from succeeding (get pods)",
        "error: Get \"https://10.0.0.1:6443/api/v1/pods\": http2: client connection lost",
        "Error from server (InternalError): Internal error occurred: failed calling webhook \"x\": \
         failed to call webhook: Post \"https://x.web.svc:443/\": dial tcp: connection refused",
    ] {
        let error = explain(complaint, &place()).unwrap();
        assert!(may_pass(&error.into()), "{complaint}");
    }
}

#[test]
fn what_others_refuse_is_not_a_right_or_an_answer_that_is_missing() {
    insta::assert_snapshot!(said(
        "Error from server (InternalError): error when creating \"STDIN\": Internal error \
         occurred: failed calling webhook \"x.example.org\": context deadline exceeded"
    ), @r#"
    an admission webhook of the cluster does not answer
    output: Error from server (InternalError): error when creating "STDIN": Internal error occurred: failed calling webhook "x.example.org": context deadline exceeded
    1. See which: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations
    2. Have it repaired, and deploy again: nyala redeploy
    "#);
    insta::assert_snapshot!(said(
        "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \
         \"x.example.org\" denied the request: no label team"
    ), @r#"
    the rules of the cluster do not allow these objects
    output: Error from server (Forbidden): error when creating "STDIN": admission webhook "x.example.org" denied the request: no label team
    1. See them: nyala kubernetes manifests
    2. Have a patch or [kubernetes] in nyala.toml say what the rule wants
    "#);
    insta::assert_snapshot!(said(
        "Error from server (Forbidden): error when creating \"STDIN\": secrets \"shop-1\" is \
         forbidden: unable to create new content in namespace web because it is being terminated"
    ), @r#"
    the namespace web is being deleted
    found: context production, namespace web
    output: Error from server (Forbidden): error when creating "STDIN": secrets "shop-1" is forbidden: unable to create new content in namespace web because it is being terminated
    1. Wait until it is gone, create it again, and deploy: nyala redeploy
    2. Or name another: set namespace under [kubernetes] of nyala.toml
    "#);
    insta::assert_snapshot!(said(
        "Error from server: Get \"https://10.0.0.5:10250/containerLogs/web/shop-web-1/web\": \
         dial tcp 10.0.0.5:10250: i/o timeout"
    ), @r#"
    a node of the cluster does not answer
    output: Error from server: Get "https://10.0.0.5:10250/containerLogs/web/shop-web-1/web": dial tcp 10.0.0.5:10250: i/o timeout
    See which: kubectl get nodes
    "#);
    let policy = "Error from server (Forbidden): pods \"x\" is forbidden: violates PodSecurity \
                  \"restricted:latest\": runAsNonRoot != true";
    assert!(said(policy).starts_with("the rules of the cluster do not allow these objects"));
}

#[test]
fn kubectls_log_of_another_api_explains_nothing() {
    let complaint = "E0101 12:00:00.0   12 memcache.go:287] couldn't get resource list for \
                     metrics.k8s.io/v1beta1: i/o timeout\n\
                     Error from server (NotFound): pods \"x\" not found";
    assert_eq!(explain(complaint, &place()), None);
}

#[test]
fn a_job_that_has_changed_needs_another_name() {
    insta::assert_snapshot!(said(
        "The Job \"warm-up\" is invalid: spec.template: Invalid value: \
         core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{}}: field is immutable"
    ), @r#"
    the cluster does not let an object be changed like this
    found: The Job "warm-up" is invalid: spec.template
    1. Give it another name in the patch: a Job needs one whenever it changes
    2. Or remove the old one first: kubectl delete
    "#);
}
