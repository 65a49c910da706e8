"""One notebook of the kit on one snapshot, on a schedule of Airflow: collect, then run it by papermill.

Needs the provider apache-airflow-providers-papermill beside auditlib. The variables ``auditlib_home`` (a folder)
and ``auditlib_region`` are Airflow's; credentials are those of the worker. For many accounts, roles, history and
exit statuses let a BashOperator call ``auditlib run runs.yaml`` instead: this DAG is for whoever wants the executed notebook.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

from auditlib.report import notebooks

HOME = "{{ var.value.get('auditlib_home', '/srv/audit') }}"
SNAPSHOT = HOME + "/snapshots/{{ ds }}"

with DAG(
    dag_id="client_vpn_audit",
    description="Reads the account and runs the overview notebook",
    schedule="17 5 * * 1-5",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=10)},
) as dag:
    # 3 is "part could not be read": the notebook says what, so the run goes on. 1 and 2 are failures.
    collect = BashOperator(
        task_id="collect",
        bash_command=(
            'auditlib collect --resume --out "$SNAPSHOT" --region "$REGION" || [ $? -eq 3 ]'
        ),
        env={
            "SNAPSHOT": SNAPSHOT,
            "REGION": "{{ var.value.get('auditlib_region', 'eu-west-1') }}",
        },
        append_env=True,
    )
    overview = PapermillOperator(
        task_id="overview",
        input_nb=str(notebooks()["00-overview"].path),
        output_nb=HOME + "/notebooks/{{ ds }}-overview.ipynb",
        parameters={"snapshot": SNAPSHOT},
    )
    collect >> overview
